import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EvidenceVerdict, signEvidence, verifyEvidence } from '@holdfast/crypto';
import { encodeHex, HoldfastError, seededRandom } from '@holdfast/kernel';
import { type EvidenceClaims, makeUeid } from '@holdfast/wire/eat';
import { afterEach, describe, expect, it } from 'vitest';
import { makeTestKey, signTestBootloader, signTestImage } from '../../../crypto/src/virtual-chip/testing/images.ts';
import type { BootResult } from '@holdfast/crypto/virtual-chip';
import { VirtualDevice } from './device.ts';

const bootKey = makeTestKey();
const imageKey = makeTestKey();
const BOOTLOADER = signTestBootloader(bootKey, imageKey);
const OLD = signTestImage(imageKey, { version: '1.0.0', counter: 1 });
const NEW = signTestImage(imageKey, { version: '2.0.0', counter: 2 });
const NONCE = new Uint8Array(32).fill(5);
const UEID = makeUeid(new Uint8Array(16));
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function make(folder?: string): { device: VirtualDevice; anchor: Uint8Array } {
  const device = new VirtualDevice({ board: 'tiny-move', ...(folder === undefined ? {} : { folder }) });
  const images = { bootPublicKey: bootKey.spki, bootloader: BOOTLOADER, firmware: OLD };
  return { device, anchor: device.manufacture(images, seededRandom(folders.length + 1)) };
}

function prove(boot: BootResult, anchorSpki: Uint8Array, lies: Partial<EvidenceClaims> = {}): EvidenceVerdict {
  const { bootState, bootCount, name, version } = boot.descriptor;
  const claims = {
    nonce: NONCE,
    ueid: UEID,
    bootState,
    bootCount,
    debug: boot.debug,
    softwareName: name,
    softwareVersion: version,
  };
  return verifyEvidence(signEvidence(boot.attester, { ...claims, ...lies }), { anchorSpki, nonce: NONCE, ueid: UEID });
}

/** Flips bits in the flash behind the back of the device. */
function rot(device: VirtualDevice, address: number): void {
  const state = device.flash.snapshot();
  state[address] = (state[address] ?? 0) ^ 1;
  device.flash.restoreSnapshot(state);
}

function expectApplication(boot: BootResult, version: string): void {
  expect(boot).toMatchObject({ kind: 'application', descriptor: { version } });
}

describe('a virtual device', () => {
  it('boots what the factory installed and proves it under its exported anchor', () => {
    const { device, anchor } = make();
    const boot = device.boot();
    expectApplication(boot, '1.0.0');
    expect(prove(boot, anchor)).toMatchObject({
      kind: 'measured',
      bootState: 'confirmed',
      bootCount: 1,
      mode: 'normal',
      securityCounter: 1,
    });
  });

  it('proves trial, confirmation and revert as its boot stages saw them', () => {
    const { device, anchor } = make();
    const before = prove(device.boot(), anchor);
    device.updateSlot.prepare(NEW.length);
    device.updateSlot.write(0, NEW);
    device.updateSlot.requestTest();
    const trial = prove(device.boot(), anchor);
    expect(trial).toMatchObject({ kind: 'measured', bootState: 'test', securityCounter: 2 });
    expect(device.fuses.securityCounter).toBe(1);
    device.updateSlot.confirm();
    const kept = prove(device.boot(), anchor);
    expect(kept).toMatchObject({ kind: 'measured', bootState: 'confirmed', securityCounter: 2 });
    expect(device.fuses.securityCounter).toBe(2);
    const digest = (verdict: EvidenceVerdict): string =>
      verdict.kind === 'measured' ? verdict.firmware.digest : verdict.reason;
    expect(digest(trial)).toBe(digest(kept));
    expect(digest(trial)).not.toBe(digest(before));
  });

  it('cannot pass old firmware off as new: whatever it claims, the measured digest is the old one', () => {
    const { device, anchor } = make();
    const boot = device.boot();
    expect(prove(boot, anchor, { softwareVersion: '2.0.0' })).toEqual({
      kind: 'refused',
      reason: 'contradiction',
      detail: 'software version',
    });
    expect(prove(boot, anchor, { bootState: 'test' })).toMatchObject({ kind: 'refused', reason: 'contradiction' });
  });

  it('has another key at every boot, so that evidence of one boot is not evidence of another', () => {
    const { device } = make();
    const [first, second] = [device.boot(), device.boot()];
    expect(encodeHex(first.attester.chain[0] ?? NONCE)).not.toBe(encodeHex(second.attester.chain[0] ?? NONCE));
    expect(first.sealingSecret).toEqual(second.sealingSecret);
  });

  it('keeps the fuse secret from everything after the first stage', () => {
    const { device } = make();
    device.boot();
    expect(() => device.fuses.read('deviceSecret')).toThrow(HoldfastError);
  });

  it('goes into safe mode when both slots are bad, and still proves itself', () => {
    const { device, anchor } = make();
    rot(device, device.plan.primary.address + 50);
    const boot = device.boot();
    expect(boot).toMatchObject({ kind: 'safe-mode', code: 'boot.hash_mismatch' });
    expect(boot).not.toHaveProperty('payload');
    expect(prove(boot, anchor)).toMatchObject({
      kind: 'measured',
      mode: 'recovery',
      bootState: 'recovery',
      firmware: { descriptor: { name: 'bootloader' } },
    });
  });

  it('comes out of safe mode by an update', () => {
    const { device } = make();
    rot(device, device.plan.primary.address + 50);
    device.boot();
    device.updateSlot.prepare(NEW.length);
    device.updateSlot.write(0, NEW);
    device.updateSlot.requestTest();
    expectApplication(device.boot(), '2.0.0');
  });

  it('goes into safe mode for any one changed bit of the bootloader or its key', () => {
    const { device, anchor } = make();
    const state = device.flash.snapshot();
    for (const [from, length] of [
      [0, 93],
      [512, BOOTLOADER.length],
    ] as const) {
      for (let at = from; at < from + length; at += 5) {
        rot(device, at);
        const boot = device.boot();
        expect(boot.kind, `byte ${at}`).toBe('safe-mode');
        expect(prove(boot, anchor)).toMatchObject({
          kind: 'measured',
          mode: 'recovery',
          firmware: { descriptor: { name: 'first-stage' } },
        });
        device.flash.restoreSnapshot(state);
      }
    }
  });

  it('refuses a bootloader of another key even when that key stands in the flash', () => {
    const other = makeTestKey();
    const device = new VirtualDevice({ board: 'tiny-move' });
    device.manufacture(
      { bootPublicKey: bootKey.spki, bootloader: signTestBootloader(other, other), firmware: OLD },
      seededRandom(3),
    );
    expect(device.boot()).toMatchObject({ kind: 'safe-mode', code: 'boot.unknown_key' });
  });

  it('gives up after three boots without a sign of life, and starts over after one', () => {
    const { device } = make();
    for (let attempt = 1; attempt <= 3; attempt++) expectApplication(device.boot(), '1.0.0');
    expect(device.boot()).toMatchObject({ kind: 'safe-mode', code: 'device.safe_mode' });
    device.markAlive();
    expectApplication(device.boot(), '1.0.0');
  });

  it('runs the bytes it measured though the flash is changed between check and use', () => {
    const { device, anchor } = make();
    const honest = device.boot();
    const evil = new Uint8Array(64).fill(0x66);
    device.supply.setPlan([]);
    device.boot();
    const reads = device.supply.reads;
    for (let read = 1; read <= reads; read++) {
      const fresh = make();
      fresh.device.supply.setPlan([{ kind: 'replace', read, address: device.plan.primary.address + 40, bytes: evil }]);
      const boot = fresh.device.boot();
      if (boot.kind === 'safe-mode') continue;
      expect(honest.kind === 'application' && honest.payload).toEqual(boot.payload);
      expect(prove(boot, fresh.anchor)).toMatchObject({ kind: 'measured' });
    }
    expect(anchor).toHaveLength(91);
  });

  it('is refused as evidence when its debug port was never locked', () => {
    const { device, anchor } = make();
    const fuses = device.fuses.snapshot();
    fuses.fill(0, 64, 68);
    device.fuses.restoreSnapshot(fuses);
    const boot = device.boot();
    expect(boot.debug).toBe('enabled');
    expect(prove(boot, anchor)).toMatchObject({ kind: 'refused', reason: 'mode' });
    expect(prove(boot, anchor, { debug: 'disabled-permanently' })).toMatchObject({ kind: 'refused' });
  });

  it('runs nothing once retired', () => {
    const { device } = make();
    device.fuses.advanceLifeCycle('retired');
    expect(device.boot()).toMatchObject({ kind: 'safe-mode', code: 'device.safe_mode' });
  });

  it('can be made again after an interruption at any operation of the factory step, and never twice', () => {
    const images = { bootPublicKey: bootKey.spki, bootloader: BOOTLOADER, firmware: OLD };
    for (let operation = 1; operation < 60; operation++) {
      const device = new VirtualDevice({ board: 'tiny-move' });
      device.supply.setPlan([{ kind: 'power-cut', operation, when: 'during', seed: operation }]);
      try {
        device.manufacture(images, seededRandom(operation));
      } catch (error) {
        expect(error).toMatchObject({ code: 'device.power_cut' });
      }
      device.supply.restore();
      device.supply.setPlan([]);
      if (device.fuses.lifeCycle === 'open') {
        const anchor = device.manufacture(images, seededRandom(operation + 1));
        expect(prove(device.boot(), anchor)).toMatchObject({ kind: 'measured' });
      }
      expect(() => device.manufacture(images, seededRandom(1))).toThrow(HoldfastError);
    }
  });

  it('survives the end of its process in the files of its folder', () => {
    const folder = mkdtempSync(join(tmpdir(), 'device-'));
    folders.push(folder);
    const { device, anchor } = make(folder);
    device.boot();
    device.updateSlot.prepare(NEW.length);
    device.updateSlot.write(0, NEW);
    device.updateSlot.requestTest();
    device.close();
    const again = new VirtualDevice({ board: 'tiny-move', folder });
    const boot = again.boot();
    expectApplication(boot, '2.0.0');
    expect(prove(boot, anchor)).toMatchObject({ kind: 'measured', bootState: 'test', bootCount: 2 });
    again.close();
  });
});
