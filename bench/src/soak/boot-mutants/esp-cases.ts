import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { espPublicKey, prepareSecureBootV2, signP192 } from '../../../../packages/crypto/src/esp32/index.ts';
import { digest, sha256 } from '../../../../packages/crypto/src/primitives/hash.ts';
import type { TestKey } from '../../../../packages/crypto/src/virtual-chip/testing/images.ts';
import { imageWorld } from '../../../../packages/crypto/src/virtual-chip/testing/worlds.ts';
import { ByteWriter, concatBytes, encodeUtf8 } from '../../../../packages/kernel/src/index.ts';
import {
  crc32,
  decodeSignedImage,
  encodeSignatureBlock,
  encodeSignedImage,
  padToSector,
} from '../../../../packages/wire/src/esp32/index.ts';
import { flipped } from './mcuboot-cases.ts';
import type { TrialPolicy, VerifyCase } from './verify-trial.ts';

const VECTORS = new URL('../../../../packages/wire/vectors/esp32/', import.meta.url);
const FILES = ['rsa3072', 'ecdsa192', 'ecdsa256'] as const;
const FILE_POLICIES: readonly TrialPolicy[] = ['plain', 'esp-c3', 'esp-c2', 'esp-paged', 'esp-one-block'];

const SECTOR = 4096;
const BLOCK = 1216;
const CRC = 1196;

export function espKeyFiles(): readonly KeyObject[] {
  return FILES.map((name) => createPrivateKey(readFileSync(new URL(`${name}.pem`, VECTORS))));
}

/** Images and forgeries for the ESP32-C3; the boot code demands counter 5. */
export function espCases(key: TestKey, p384: KeyObject): readonly VerifyCase[] {
  const world = imageWorld('esp32-c3', key);
  const image = world.sign({ version: '1.0.0', counter: 5 });
  const stranger = imageWorld('esp32-c3').sign({ version: '1.0.0', counter: 5 });
  const other = imageWorld('esp32', key).sign({ version: '1.0.0', counter: 5 });
  const slot = (
    bytes: Uint8Array,
    minCounter: number | undefined = 5,
    format: VerifyCase['format'] = 'esp32-c3',
  ): VerifyCase => ({
    format,
    slot: bytes,
    policy: 'plain',
    minCounter,
  });
  const forms = [
    ...changed(image),
    ...blocks(image, stranger, key.privateKey),
    ...applications().map((app) => rawSigned(app, key.privateKey)),
  ];
  const counters = [image, ...[0, 15, 16].map((counter) => world.sign({ version: '1.0.0', counter }))];
  return [
    ...[image, stranger, other, concatBytes(image, new Uint8Array(SECTOR).fill(0xff)), ...forms].map((bytes) =>
      slot(bytes),
    ),
    slot(rawSigned(app([{ data: descriptor() }]), p384)),
    ...counters.flatMap((bytes) => [undefined, 0, 4, 5, 6, 16].map((minCounter) => slot(bytes, minCounter))),
    ...[image, other].map((bytes) => slot(bytes, 0, 'esp32')),
    ...files(key, p384, image, other),
  ];
}

/** Each byte of the header, the descriptor and the signature block; others by sample; every end. */
function changed(image: Uint8Array): readonly Uint8Array[] {
  const app = [...Array(64).keys(), ...Array.from({ length: 40 }, (_, i) => 100 + 9 * i), 604, 4090];
  const block = [...Array(110).keys(), 150, 228, 229, 300, 1195, 1196, 1199, 1200, 1215, 1216, 2431, 4095];
  const ends = [0, 1, 24, 32, 300, SECTOR, SECTOR + 1, 5000, 8191];
  return [
    ...BLOCK_PLACES.map((at) => reblocked(image, at, 1)),
    ...[...app, ...block.map((at) => SECTOR + at)].flatMap((at) => [0, 5].map((bit) => flipped(image, at, bit))),
    ...ends.map((length) => image.subarray(0, length)),
  ];
}

/** A block changed in one byte, and its checksum with it. */
function reblocked(file: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = flipped(file, file.length - SECTOR + at, bit);
  const block = copy.subarray(copy.length - SECTOR, copy.length - SECTOR + BLOCK);
  new DataView(block.buffer, block.byteOffset).setUint32(CRC, crc32(block.subarray(0, CRC)), true);
  return copy;
}

/** Bytes of a block that mean something in one scheme or another, and their neighbours. */
const BLOCK_PLACES = [
  ...Array(6).keys(),
  20,
  35,
  36,
  37,
  51,
  52,
  53,
  68,
  69,
  100,
  101,
  102,
  132,
  133,
  148,
  149,
  150,
  164,
  165,
  166,
  244,
  245,
  246,
  400,
  419,
  420,
  423,
  424,
  700,
  807,
  808,
  811,
  812,
  1000,
  1194,
  1195,
  1200,
  1215,
];

/** More blocks than one: doubled, of a stranger, of another image, of another scheme. */
function blocks(image: Uint8Array, stranger: Uint8Array, key: KeyObject): readonly Uint8Array[] {
  const { covered, blocks: own } = decodeSignedImage(image);
  const { blocks: theirs } = decodeSignedImage(stranger);
  const rsa = createPrivateKey(readFileSync(new URL('rsa3072.pem', VECTORS)));
  const { blocks: mixed } = decodeSignedImage(rawSigned(covered, rsa));
  const { blocks: wrong } = decodeSignedImage(rawSigned(flipped(covered, 40, 1), key));
  const lists = [
    [...own, ...own],
    [...own, ...theirs],
    [...theirs, ...own],
    [...own, ...mixed],
    [...mixed, ...own],
    [...own, ...wrong],
    wrong,
    mixed,
  ];
  const three = [...own, ...theirs, ...mixed];
  const fourth = encodeSignedImage(covered, three);
  fourth[SECTOR + 3 * BLOCK] = 0xe7;
  const holes = image.slice();
  holes.copyWithin(SECTOR + 2 * BLOCK, SECTOR, SECTOR + BLOCK);
  return [...lists.map((list) => encodeSignedImage(covered, list)), holes, encodeSignedImage(covered, three), fourth];
}

/** Applications that break a rule of their form, each to be signed rightly. */
function applications(): readonly Uint8Array[] {
  const sizes = [0, 1, 3, 4, 16, 252, 255, 256, 260];
  const many = (count: number): readonly Segment[] =>
    Array.from({ length: count }, () => ({ data: descriptor().subarray(0, 260) }));
  return [
    app([{ data: descriptor() }]),
    ...sizes.map((size) => app([{ data: descriptor().subarray(0, size) }])),
    ...[1, 2, 15, 16, 17].map((count) => app(many(count))),
    app([{ data: descriptor() }], { count: 0 }),
    ...[0xffff_ff00, 0xffff_fefd, 0xffff_fefc, 0xffff_fef8, 0].map((address) =>
      app([{ address, data: descriptor().subarray(0, 260) }]),
    ),
    ...[0, 1, 2, 0xff].map((hasDigest) => app([{ data: descriptor() }], { hasDigest })),
    app([{ data: descriptor() }], { hasDigest: 1, digest: new Uint8Array(32) }),
    ...[0, 1, 7].map((bit) => app([{ data: descriptor() }], { checksum: 1 << bit })),
    app([{ data: descriptor() }], { filler: 1 }),
    oneFilled(app([{ data: descriptor() }])),
    app([{ data: fullText() }]),
    ...[2, 4, 5, 9, 0x105, 0x205, 0x7fff].map((chipId) => app([{ data: descriptor() }], { chipId })),
    app([{ data: descriptor(0x12345678) }]),
    app([{ data: new Uint8Array(8) }, { data: descriptor() }]),
    ...['', '1', 'x'.repeat(32), 'é\u0001~ \u007f'].map((version) => app([{ data: descriptor(MAGIC, version) }])),
    ...[4, 5, 16, 17, 0xffff].map((counter) => app([{ data: descriptor(MAGIC, '1', counter) }])),
  ];
}

const MAGIC = 0xabcd5432;

function descriptor(magic = MAGIC, version = '1.0.0', counter = 5): Uint8Array {
  const data = new Uint8Array(300);
  const view = new DataView(data.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, counter, true);
  data.set(encodeUtf8(version).subarray(0, 32), 16);
  data.set(encodeUtf8('project'), 48);
  data.set(encodeUtf8('v5.1'), 112);
  return data;
}

/** Words that fill their field, with no end to them. */
function fullText(): Uint8Array {
  const data = descriptor();
  data.fill(0x78, 16, 150);
  return data;
}

/** One byte before the checksum is not zero. */
function oneFilled(bytes: Uint8Array): Uint8Array {
  return flipped(bytes, bytes.length - 2, 0);
}

interface Segment {
  readonly address?: number;
  readonly data: Uint8Array;
}

interface AppForm {
  readonly count?: number;
  readonly chipId?: number;
  readonly hasDigest?: number;
  readonly digest?: Uint8Array;
  /** Bits turned round in the checksum. */
  readonly checksum?: number;
  readonly filler?: number;
}

function app(segments: readonly Segment[], form: AppForm = {}): Uint8Array {
  const writer = new ByteWriter()
    .u8(0xe9)
    .u8(form.count ?? segments.length)
    .u8(2)
    .u8(0x20);
  writer
    .u32le(0x400d0000)
    .fill(0xee, 4)
    .u16le(form.chipId ?? 5)
    .u8(0)
    .u16le(1)
    .u16le(0x1234)
    .fill(0, 4)
    .u8(form.hasDigest ?? 0);
  let checksum = 0xef ^ (form.checksum ?? 0);
  for (const { address = 0x3c000020, data } of segments) {
    writer.u32le(address).u32le(data.length).bytes(data);
    for (const byte of data) checksum ^= byte;
  }
  writer.fill(form.filler ?? 0, 15 - (writer.length % 16)).u8(checksum);
  const bytes = writer.finish();
  return form.hasDigest === 1 ? concatBytes(bytes, form.digest ?? sha256(bytes)) : bytes;
}

/** One block over whatever it is, without the judgement our own signer passes first. */
function rawSigned(image: Uint8Array, key: KeyObject): Uint8Array {
  const covered = padToSector(image);
  const stand = prepareSecureBootV2(new Uint8Array(32).fill(1), {}, espKey(key));
  const { algorithm } = stand;
  const made = decodeSignedImage(stand.finish(signatureOf(algorithm, covered, key))).blocks[0];
  if (made === undefined) throw new TypeError('a signer made no block');
  const imageDigest = digest(made.imageDigest.length === 48 ? 'sha384' : 'sha256', covered);
  const sector = new Uint8Array(SECTOR).fill(0xff);
  sector.set(encodeSignatureBlock({ ...made, imageDigest }));
  return concatBytes(covered, sector);
}

function signatureOf(algorithm: string, message: Uint8Array, key: KeyObject): Uint8Array {
  if (algorithm === 'ecdsa-p192-sha256') return signP192(message, key);
  const hash = algorithm.endsWith('sha384') ? 'sha384' : 'sha256';
  return sign(hash, message, algorithm.startsWith('rsa') ? { key, padding: 6, saltLength: 32 } : { key });
}

function espKey(key: KeyObject) {
  return espPublicKey(createPublicKey(key).export({ type: 'spki', format: 'der' }));
}

/** Signed files that need be no application, by every scheme, under every policy. */
function files(key: TestKey, p384: KeyObject, image: Uint8Array, other: Uint8Array): readonly VerifyCase[] {
  const vectors = FILES.map((name) => new Uint8Array(readFileSync(new URL(`sbv2-${name}.bin`, VECTORS))));
  const prepared = prepareSecureBootV2(
    image.subarray(0, SECTOR),
    { chip: { id: 5, name: '', signatureBlocks: 3, secureVersionBits: 16 } },
    espKey(p384),
  );
  const large = prepared.finish(sign('sha384', prepared.message, p384));
  const { blocks: own } = decodeSignedImage(image);
  const second = prepareSecureBootV2(
    image,
    { append: true },
    espKey(createPrivateKey(readFileSync(new URL('ecdsa256.pem', VECTORS)))),
  );
  const twice = second.finish(
    sign('sha256', second.message, createPrivateKey(readFileSync(new URL('ecdsa256.pem', VECTORS)))),
  );
  const paged = rawSigned(
    app([{ data: concatBytes(descriptor(), new Uint8Array(65_536 - 300 - 48)) }]),
    key.privateKey,
  );
  const data = rawSigned(new Uint8Array(SECTOR).fill(0x31), key.privateKey);
  const odd = rawSigned(
    concatBytes(Uint8Array.of(0xe9), new Uint8Array(11), Uint8Array.of(3, 0x7f), new Uint8Array(40)),
    key.privateKey,
  );
  const flips = [...vectors, large].flatMap((bytes) =>
    BLOCK_PLACES.flatMap((at) => [flipped(bytes, bytes.length - SECTOR + at, 1), reblocked(bytes, at, 1)]),
  );
  const apps = applications().map((each) => rawSigned(each, key.privateKey));
  const all = [
    ...apps,
    ...vectors,
    large,
    flipped(large, large.length - SECTOR + 60, 0),
    image,
    other,
    twice,
    paged,
    data,
    odd,
    ...flips,
    encodeSignedImage(image.subarray(0, SECTOR), [...own, ...own]),
  ];
  return all.flatMap((slot) =>
    FILE_POLICIES.flatMap((policy) =>
      [undefined, 5].map((minCounter): VerifyCase => ({ format: 'esp-file', slot, policy, minCounter })),
    ),
  );
}
