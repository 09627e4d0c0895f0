import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { algorithmRow } from '../../../../packages/crypto/src/keys/algorithms.ts';
import { schemeOptions } from '../../../../packages/crypto/src/keys/verify.ts';
import {
  mcubootPublicKey,
  prepareMcubootImage,
  signatureRequest,
} from '../../../../packages/crypto/src/mcuboot/index.ts';
import { vectorFile, vectorKey, VECTOR_KEYS } from '../../../../packages/crypto/src/mcuboot/sample-images.ts';
import { digest } from '../../../../packages/crypto/src/primitives/hash.ts';
import { concatBytes, seededRandom } from '../../../../packages/kernel/src/index.ts';
import {
  decodeMcubootImage,
  encodeTlvArea,
  HASH_TLV,
  MCUBOOT_TLV,
  type McubootHash,
  type McubootTlv,
  parseVersion,
} from '../../../../packages/wire/src/mcuboot/index.ts';
import { ecdsaForms } from './ecdsa-forms.ts';
import type { TrialPolicy, VerifyCase } from './verify-trial.ts';

export const MCUBOOT_POLICIES: readonly TrialPolicy[] = [
  'plain',
  'padded-signatures',
  'psoc64',
  'clear',
  'decrypting',
  'clear-with-key',
  'non-bootable',
];

const VECTORS = new URL('../../../../packages/wire/vectors/mcuboot/', import.meta.url);

const plain = (slot: Uint8Array, minCounter?: number, policy: TrialPolicy = 'plain'): VerifyCase => ({
  format: 'mcuboot',
  slot,
  policy,
  minCounter,
});

type SignOptions = Partial<Parameters<typeof prepareMcubootImage>[1]>;

/** A small image as our own signer makes it. */
export function signSmall(key: KeyObject, options: SignOptions = {}): Uint8Array {
  const all = { version: parseVersion('1.2.3+4'), headerSize: 32, padHeader: true, ...options };
  const prepared = prepareMcubootImage(seededRandom(6).bytes(40), all, mcubootPublicKey(key));
  return prepared.finish(signed(key, prepared.request.message));
}

/** A signature as boot code wants it of this key, over any message. */
function signed(key: KeyObject, message: Uint8Array, pure = true): Uint8Array {
  const { algorithm } = signatureRequest(mcubootPublicKey(key), { covered: message, digest: message, pure });
  return new Uint8Array(sign(algorithmRow(algorithm).hash, message, schemeOptions(algorithm, key, 'der')));
}

/** Rightly signed whatever the covered bytes are, so that nothing but a rule of the format refuses them. */
function sealed(
  key: KeyObject,
  covered: Uint8Array,
  { hash, pure }: { hash?: McubootHash; pure?: boolean } = {},
): Uint8Array {
  const { rule, hashes, kind } = mcubootPublicKey(key);
  const name = hash ?? rule.hashes[0] ?? 'sha256';
  const value = digest(name, covered);
  const message = kind === 'ed25519' && pure !== true ? value : covered;
  const tlvs: readonly McubootTlv[] = [
    { type: HASH_TLV[name], value },
    ...(pure === true ? [{ type: MCUBOOT_TLV.pure, value: Uint8Array.of(1) }] : []),
    { type: MCUBOOT_TLV.keyHash, value: hashes[name] },
    { type: rule.signatureTlv, value: signed(key, message) },
  ];
  return concatBytes(covered, encodeTlvArea('unprotected', tlvs));
}

/** Images and forgeries of this key; the boot code demands counter 5. */
export function mcubootCases(key: KeyObject): readonly VerifyCase[] {
  const image = signSmall(key, { securityCounter: 5 });
  const counters = [undefined, 0, 4, 5, 6];
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const single = [...entryForms(image), ...changedBytes(image), ...rightlySigned(key, image), signSmall(stranger)];
  return [
    ...fileCases(),
    ...single.map((slot) => plain(slot, 5)),
    ...specials(key).flatMap((slot) => counters.map((counter) => plain(slot, counter))),
    ...[image, ...specials(key), ...otherHeaders(key, image), ...encodedOtherwise(key, image)].flatMap((slot) =>
      MCUBOOT_POLICIES.map((policy) => plain(slot, undefined, policy)),
    ),
    ...otherKeys().map((slot) => plain(slot)),
  ];
}

/** The files of imgtool and their hostile variants, under every policy. */
function fileCases(): readonly VerifyCase[] {
  const files = readdirSync(VECTORS).filter((name) => name.endsWith('.bin'));
  return files.flatMap((name) => MCUBOOT_POLICIES.map((policy) => plain(vectorFile(name), undefined, policy)));
}

/** Entries dropped, doubled, moved, resized, and added of every type there is. */
function entryForms(image: Uint8Array): readonly Uint8Array[] {
  const { covered, unprotectedTlvs: tlvs, protectedTlvs } = decodeMcubootImage(image);
  const with_ = (changed: readonly McubootTlv[]): Uint8Array =>
    concatBytes(covered, encodeTlvArea('unprotected', changed));
  const types = [...Object.values(MCUBOOT_TLV), 0, 3, 0x35, 0x81, 0xa0, 0xff, 0xfffe];
  return [
    image,
    concatBytes(image, new Uint8Array(16).fill(0x41)),
    with_(tlvs.toReversed()),
    ...tlvs.flatMap((tlv, index) => [
      with_(tlvs.filter((_, at) => at !== index)),
      with_([...tlvs, tlv]),
      with_([tlv, ...tlvs]),
      ...[0, 1, tlv.value.length - 1, tlv.value.length + 1].map((length) =>
        with_(tlvs.map((each, at) => (at === index ? { ...each, value: resized(each.value, length) } : each))),
      ),
    ]),
    ...types.flatMap((type) =>
      [0, 1, 2, 4, 12, 16, 24, 32, 48, 64].map((length) => with_([...tlvs, { type, value: new Uint8Array(length) }])),
    ),
    ...protectedTlvs.map((tlv) => concatBytes(covered, encodeTlvArea('unprotected', [tlv, ...tlvs]))),
  ];
}

function changedBytes(image: Uint8Array): readonly Uint8Array[] {
  const places = [...image.keys()];
  return [
    ...places.flatMap((at) => [0, 3, 7].map((bit) => flipped(image, at, bit))),
    ...places.map((length) => image.subarray(0, length)),
  ];
}

const TYPES: readonly number[] = [...Object.values(MCUBOOT_TLV), 0, 3, 0x81, 0x9f, 0xa0, 0xfe, 0xff, 0x100, 0xfffe];

/** Covered bytes that break a rule of the format under a signature that holds. */
function rightlySigned(key: KeyObject, image: Uint8Array): readonly Uint8Array[] {
  const { covered, protectedTlvs, payload } = decodeMcubootImage(image);
  const header = covered.subarray(0, 32);
  const withMetadata = (area: Uint8Array): Uint8Array => {
    const copy = concatBytes(header, payload, area);
    new DataView(copy.buffer).setUint16(10, area.length, true);
    return sealed(key, copy);
  };
  const areaOf = (tlvs: readonly McubootTlv[]): Uint8Array => encodeTlvArea('protected', tlvs);
  const lengths = [0, 1, 3, 4, 5, 12, 13, 16, 17, 32];
  const total = (length: number): Uint8Array => {
    const area = areaOf(protectedTlvs).slice();
    new DataView(area.buffer, area.byteOffset).setUint16(2, length, true);
    return withMetadata(area);
  };
  return [
    ...[...covered.subarray(0, 32).keys()].flatMap((at) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => sealed(key, flipped(covered, at, bit))),
    ),
    ...TYPES.flatMap((type) =>
      lengths.map((length) =>
        withMetadata(areaOf([...protectedTlvs, { type, value: new Uint8Array(length).fill(1) }])),
      ),
    ),
    ...protectedTlvs.map((tlv) => withMetadata(areaOf([...protectedTlvs, tlv]))),
    ...[0, 1, 2, 3, 4, 5, 11, 13, 100].map(total),
    withMetadata(new Uint8Array(0)),
    ...[1, 2, 3].map((at) =>
      withMetadata(areaOf([...protectedTlvs, { type: MCUBOOT_TLV.dependency, value: dependency(at) }])),
    ),
    sealed(key, header),
    sealed(key, bigEndian(covered)),
    ...(['sha384', 'sha512'] as const).map((hash) => sealed(key, covered, { hash })),
    sealed(key, covered, { pure: true }),
  ];
}

/** One entry with a byte set where there must be none. */
function dependency(pad: number): Uint8Array {
  const value = new Uint8Array(12);
  value[pad] = 1;
  return value;
}

/** Fields of the header set to what single bits do not reach. */
function otherHeaders(key: KeyObject, image: Uint8Array): readonly Uint8Array[] {
  const { covered, protectedTlvs } = decodeMcubootImage(image);
  const with_ = (at: number, word: number, bytes = covered): Uint8Array => {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(at, word, true);
    return sealed(key, copy);
  };
  const empty = concatBytes(covered.subarray(0, 32), encodeTlvArea('protected', protectedTlvs));
  return [
    ...[0xffff_ffff, 0xffff_fffe, 1].map((word) => with_(28, word)),
    ...[0x0c, 0x120, 0x05, 0x14, 0x24, 0x108].map((flags) => with_(16, flags)),
    with_(12, 0, empty),
  ];
}

/** The same signature, written otherwise. */
function encodedOtherwise(key: KeyObject, image: Uint8Array): readonly Uint8Array[] {
  const { covered, unprotectedTlvs } = decodeMcubootImage(image);
  return ecdsaForms(() => signed(key, covered)).map((value) =>
    concatBytes(
      covered,
      encodeTlvArea(
        'unprotected',
        unprotectedTlvs.map((tlv) => (tlv.type === MCUBOOT_TLV.ecdsa ? { ...tlv, value } : tlv)),
      ),
    ),
  );
}

/** Each kind of key: as it should be, under another kind's entry, with each hash, marked pure. */
function otherKeys(): readonly Uint8Array[] {
  return VECTOR_KEYS.map(vectorKey).flatMap((key) => {
    const image = signSmall(key);
    const { covered, unprotectedTlvs } = decodeMcubootImage(image);
    const { rule } = mcubootPublicKey(key);
    const signatures = [0x20, 0x22, 0x23, 0x24];
    const under = signatures.map((type) =>
      concatBytes(
        covered,
        encodeTlvArea(
          'unprotected',
          unprotectedTlvs.map((tlv) => (tlv.type === rule.signatureTlv ? { ...tlv, type } : tlv)),
        ),
      ),
    );
    const hashes = (['sha256', 'sha384', 'sha512'] as const).flatMap((hash) => [
      sealed(key, covered, { hash }),
      sealed(key, covered, { hash, pure: true }),
    ]);
    return [image, ...under, ...hashes, flipped(image, image.length - 9, 2)];
  });
}

function specials(key: KeyObject): readonly Uint8Array[] {
  const options: readonly SignOptions[] = [
    {},
    { securityCounter: 0 },
    { securityCounter: 4 },
    { securityCounter: 6 },
    { nonBootable: true },
    { romFixed: 0x8000 },
    { romFixed: 0x8001 },
    { loadAddress: 0x8000 },
    { dependencies: [{ imageId: 1, version: parseVersion('1.0.0') }] },
    { dependencies: [1, 2].map((imageId) => ({ imageId, version: parseVersion('1.0.0') })) },
    { headerSize: 64 },
    { version: parseVersion('9.8.7+6') },
    { custom: [{ type: 0xa0, value: new Uint8Array(3) }] },
  ];
  return options.map((option) => signSmall(key, option));
}

function bigEndian(covered: Uint8Array): Uint8Array {
  const copy = covered.slice();
  copy.subarray(0, 4).reverse();
  return copy;
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const other = new Uint8Array(Math.max(length, 0));
  other.set(bytes.subarray(0, other.length));
  return other;
}

export function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}
