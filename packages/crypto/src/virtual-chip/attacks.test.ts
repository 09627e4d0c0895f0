import { createHash, sign as signBytes } from 'node:crypto';
import { ByteWriter, concatBytes, HoldfastError, seededRandom } from '@holdfast/kernel';
import { decodeMcubootImage, encodeTlvArea, MCUBOOT_TLV, type McubootTlv, parseVersion } from '@holdfast/wire/mcuboot';
import { describe, expect, it } from 'vitest';
import { mcubootPublicKey, prepareMcubootImage } from '../mcuboot/index.ts';
import { BOARDS } from './boards.ts';
import type { ChipId, StrategyName } from './chips.ts';
import { mcubootJudge } from './image-judge.ts';
import { bootVersion } from './testing/boards.ts';
import { makeTestKey, signTestImage, type TestImage } from './testing/images.ts';
import { BOOTINGS, imageWorld, named } from './testing/worlds.ts';
import { createVirtualChip, VirtualChip } from './virtual-chip.ts';

const key = makeTestKey();
const JUDGE = mcubootJudge([mcubootPublicKey(key.privateKey)]);
const OLD = signTestImage(key, { version: '1.0.0', counter: 2, size: 400 });
const NEW = signTestImage(key, { version: '2.0.0', counter: 3, size: 400 });
const { unprotectedTlvs: TLVS } = decodeMcubootImage(NEW);

/** A chip in the field: its fuses ask for counter 2. */
function device(board: keyof typeof BOARDS = 'tiny-scratch'): VirtualChip {
  const chip = new VirtualChip(BOARDS[board], JUDGE);
  chip.provision(OLD);
  expect(bootVersion(chip)).toBe('1.0.0');
  return chip;
}

/** The image with other unprotected entries than its own. */
function withSeal(change: (tlvs: readonly McubootTlv[]) => readonly McubootTlv[], image = NEW): Uint8Array {
  const { covered, unprotectedTlvs } = decodeMcubootImage(image);
  return concatBytes(covered, encodeTlvArea('unprotected', change(unprotectedTlvs)));
}

const drop = (type: number) => withSeal((tlvs) => tlvs.filter((tlv) => tlv.type !== type));
const add = (type: number, value: Uint8Array) => withSeal((tlvs) => [...tlvs, { type, value }]);
const replace = (type: number, value: Uint8Array) =>
  withSeal((tlvs) => tlvs.map((tlv) => (tlv.type === type ? { type, value } : tlv)));

/** Signed by the right key, built otherwise than our signer would. */
function signSpecial(options: { readonly romFixed?: number; readonly securityCounter?: number }): Uint8Array {
  const prepared = prepareMcubootImage(
    seededRandom(4).bytes(300),
    { version: parseVersion('2.0.0'), headerSize: 32, padHeader: true, ...options },
    mcubootPublicKey(key.privateKey),
  );
  return prepared.finish(signBytes('sha256', prepared.request.message, key.privateKey));
}

function flipped(image: Uint8Array, at: number, bit = 4): Uint8Array {
  const copy = image.slice();
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}

/** Images that must not run, by the row of the threat model they come from. */
const HOSTILE: readonly (readonly [string, Uint8Array])[] = [
  ['AC44 signed by an unknown key', signTestImage(makeTestKey(), { version: '2.0.0', counter: 3 })],
  ['AC44 by the right key for another slot', signSpecial({ romFixed: 0x1234, securityCounter: 3 })],
  ['AC45 with its signature removed', drop(MCUBOOT_TLV.ecdsa)],
  ['AC45 truncated', NEW.subarray(0, NEW.length - 1)],
  [
    'AC45 with two signatures',
    add(MCUBOOT_TLV.ecdsa, TLVS.find(({ type }) => type === MCUBOOT_TLV.ecdsa)?.value ?? NEW),
  ],
  ['AC46 below the fuses', signTestImage(key, { version: '2.0.0', counter: 1 })],
  ['AC46 without a counter', signSpecial({})],
  ['V1 an unsigned dependency', add(MCUBOOT_TLV.dependency, new Uint8Array(12))],
  ['V1 an unsigned counter', add(MCUBOOT_TLV.securityCounter, Uint8Array.of(9, 0, 0, 0))],
  ['V1 an unsigned boot record', add(MCUBOOT_TLV.bootRecord, new Uint8Array(4))],
  ...[0, 1, 31, 33].map(
    (length) => [`V4 a hash of ${length} bytes`, replace(MCUBOOT_TLV.sha256, new Uint8Array(length))] as const,
  ),
  ['V5 whose payload is another image', concatBytes(NEW.subarray(0, 32), OLD.subarray(32, 432), NEW.subarray(432))],
  ['V6 naming its key twice', add(MCUBOOT_TLV.publicKey, mcubootPublicKey(key.privateKey).bytes)],
  ['V6 with an entry nobody knows', add(0x3fff, new Uint8Array(4))],
  ['V11 with an empty signature', replace(MCUBOOT_TLV.ecdsa, new Uint8Array(0))],
  [
    'V11 with the signature of another image',
    replace(
      MCUBOOT_TLV.ecdsa,
      decodeMcubootImage(OLD).unprotectedTlvs.find(({ type }) => type === MCUBOOT_TLV.ecdsa)?.value ?? NEW,
    ),
  ],
];

const WAYS: readonly (readonly [ChipId, StrategyName])[] = [
  ['stm32l4', 'swap-move'],
  ['stm32l4', 'swap-offset'],
  ['stm32l4', 'swap-scratch'],
  ['lpc55s69', 'overwrite-only'],
  ['nrf52840', 'direct-xip'],
  ['linux', 'linux-ab'],
];

describe.each(WAYS)('boot code of %s by %s', (chip, strategy) => {
  it.each(HOSTILE)('never runs an image %s', (_name, image) => {
    const device = createVirtualChip(chip, { strategy, smallest: 1400, judge: JUDGE, securityCounter: 2 });
    device.provision(OLD);
    for (const type of ['test', 'permanent'] as const) {
      expect(device.stage(image, [], type)).toEqual({ kind: 'staged' });
      expect([bootVersion(device), bootVersion(device)]).toEqual(['1.0.0', '1.0.0']);
      expect(device.securityCounter).toBe(2);
    }
  });
});

describe('the threat model, where it concerns booting', () => {
  it('AC43: any one bit of an image flipped keeps it from running', () => {
    const chip = device();
    for (let at = 0; at < NEW.length; at += 3) {
      chip.stage(flipped(NEW, at, at % 8));
      expect(bootVersion(chip), `byte ${at}`).toBe('1.0.0');
    }
  });

  it('AC44: a key that the boot code no longer names is refused like an unknown one', () => {
    const revoked = makeTestKey();
    const both = mcubootJudge([key, revoked].map(({ privateKey }) => mcubootPublicKey(privateKey)));
    const image = signTestImage(revoked, { version: '2.0.0', counter: 3 });
    for (const [judge, version] of [
      [both, '2.0.0?'],
      [JUDGE, '1.0.0'],
    ] as const) {
      const chip = new VirtualChip(BOARDS['tiny-move'], judge);
      chip.provision(OLD);
      chip.stage(image);
      expect(bootVersion(chip)).toBe(version);
    }
  });

  it('AC46: the same version with other content boots, since boot code cannot know; the counter stays', () => {
    const chip = device();
    chip.stage(signTestImage(key, { version: '1.0.0', counter: 2, size: 100 }));
    expect(bootVersion(chip)).toBe('1.0.0?');
    expect(chip.securityCounter).toBe(2);
  });

  it.each(BOOTINGS.map((booting) => [named(booting), booting] as const))(
    'AC47: with both slots bad %s stays in safe mode, however often it boots, and takes an update',
    (_name, { chip: id, strategy }) => {
      const world = imageWorld(id);
      const image = (sample: TestImage): Uint8Array => world.sign({ size: 200, ...sample });
      const chip = createVirtualChip(id, { strategy, smallest: image({}).length, judge: world.judge });
      chip.provision(image({ version: '1.0.0' }));
      chip.boot();
      for (const { address } of [chip.plan.primary, chip.plan.secondary]) {
        const flash = chip.flash.snapshot();
        flash.fill(0x5a, address, address + 64);
        chip.flash.restoreSnapshot(flash);
      }
      for (let boot = 0; boot < 5; boot++) expect(chip.boot().kind).toBe('safe-mode');
      chip.stage(image({ version: '2.0.0', counter: 2 }), [], 'permanent');
      expect([bootVersion(chip), chip.securityCounter]).toEqual(['2.0.0', 2]);
    },
  );

  it('AC48: see power-cut.test.ts; a cut at each step of the counter leaves it at or below the image', () => {
    const chip = device();
    chip.stage(signTestImage(key, { version: '2.0.0', counter: 9 }), [], 'permanent');
    const start = chip.save();
    for (let operation = 1; ; operation++) {
      chip.load(start);
      const verdict = chip.boot([{ kind: 'power-cut', operation, when: 'during', seed: operation }]);
      const version = bootVersion(chip);
      expect(chip.securityCounter).toBeLessThanOrEqual(version === '2.0.0' ? 9 : 2);
      if (verdict.kind !== 'power-lost') break;
    }
    expect(chip.securityCounter).toBe(9);
  });

  it('AC50: a fuse write that is interrupted or repeated only ever adds', () => {
    const chip = device();
    const seen: number[] = [];
    for (let seed = 1; seed < 40; seed++) {
      chip.under([{ kind: 'power-cut', operation: 1, when: 'during', seed }], () =>
        chip.fuses.raiseSecurityCounter(20),
      );
      seen.push(chip.securityCounter);
    }
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(Math.max(...seen)).toBeLessThanOrEqual(20);
  });

  it('V2: what follows an image in its slot reaches no other slot, and nothing of the old image stays behind', () => {
    for (const board of ['tiny-move', 'tiny-scratch', 'lpc55s69'] as const) {
      const chip = device(board);
      const tail = new Uint8Array(512).fill(0x41);
      chip.slot.prepare(chip.plan.capacity);
      const end = Math.ceil(NEW.length / 512) * 512;
      chip.download(NEW);
      chip.slot.write(end, tail);
      chip.slot.requestTest();
      expect(bootVersion(chip)).toMatch(/^2\.0\.0/);
      const rest = chip.flash.read(chip.plan.primary.address + end, tail.length);
      expect(rest.some((byte) => byte === 0x41)).toBe(false);
    }
  });

  it('V3: every flipped bit of every entry, signed or not, keeps the image from running', () => {
    const chip = device();
    const { covered } = decodeMcubootImage(NEW);
    for (let at = covered.length - 12; at < NEW.length; at++) {
      chip.stage(flipped(NEW, at, at % 8));
      expect(bootVersion(chip), `byte ${at}`).toBe('1.0.0');
    }
  });

  it('V9: any bytes in a slot give a verdict, and no length in them costs memory', () => {
    const random = seededRandom(9);
    for (let i = 0; i < 2000; i++) {
      const slot = random.bytes(600);
      new DataView(slot.buffer).setUint32(0, 0x96f3b83d, true);
      const whole = i % 2 === 0 ? slot : concatBytes(NEW.subarray(0, 20 + (i % 400)), slot);
      expect(JUDGE(whole, { minCounter: 0, address: 0 }).kind).toBe('refused');
    }
  });

  it('V10: an update that changes in its slot after it was asked for is judged as it is', () => {
    const chip = device();
    chip.stage(NEW);
    chip.supply.setPlan([]);
    const start = chip.save();
    chip.boot();
    const { reads } = chip.supply;
    const evil = new ByteWriter(64).fill(0x66, 64).finish();
    for (let read = 1; read <= reads; read++) {
      chip.load(start);
      const address = chip.plan.secondary.address + 40;
      const verdict = chip.boot([{ kind: 'replace', read, address, bytes: evil }]);
      if (verdict.kind !== 'running') continue;
      const digest = createHash('sha256').update(verdict.image.covered).digest();
      expect(new Uint8Array(digest), `read ${read}`).toEqual(verdict.image.digest);
      expect(['1.0.0', '2.0.0']).toContain(verdict.image.version);
    }
  });

  it('a padded file of a signer runs as the unpadded one', () => {
    const chip = device();
    const padded = new Uint8Array(4096).fill(0xff);
    padded.set(NEW);
    padded.set(
      Uint8Array.of(0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80),
      4080,
    );
    expect(chip.stage(padded)).toEqual({ kind: 'staged' });
    expect(bootVersion(chip)).toBe('2.0.0?');
  });

  it('a chip cannot be made with a counter it cannot hold', () => {
    expect(() => createVirtualChip('esp32-c3', { judge: JUDGE, securityCounter: 17 })).toThrowError(HoldfastError);
  });
});
