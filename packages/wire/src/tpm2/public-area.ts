import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { TPM_ALG, TPM_CURVES, TPM_HASHES, type TpmCurve, type TpmHash, tpmHashOf } from './constants.ts';
import { malformed, readSized, unsupported, writeSized } from './fields.ts';

export type TpmScheme =
  | { readonly kind: 'any' }
  | { readonly kind: 'ecdsa' | 'rsassa' | 'rsapss'; readonly hash: TpmHash };

interface TpmKeyArea {
  readonly nameHash: TpmHash;
  /** `TPM_OBJECT` bits, whole: unknown ones too, since the name covers them. */
  readonly attributes: number;
  readonly authPolicy: Uint8Array;
  /** Symmetric protection of the key's children, for storage and endorsement keys. */
  readonly symmetric: { readonly keyBits: number } | undefined;
  readonly scheme: TpmScheme;
}

/** TPMT_PUBLIC of a key (TPM 2.0 part 2, 12.2.4). Coordinates may be empty in a template. */
export type TpmPublic =
  | (TpmKeyArea & { readonly type: 'ecc'; readonly curve: TpmCurve; readonly x: Uint8Array; readonly y: Uint8Array })
  | (TpmKeyArea & { readonly type: 'rsa'; readonly bits: number; readonly modulus: Uint8Array });

const RSA_BITS: ReadonlySet<number> = new Set([2048, 3072, 4096]);
const RSA_EXPONENTS: ReadonlySet<number> = new Set([0, 65_537]);
const SCHEMES = { ecdsa: TPM_ALG.ecdsa, rsassa: TPM_ALG.rsassa, rsapss: TPM_ALG.rsapss } as const;
const AES_BITS: ReadonlySet<number> = new Set([128, 192, 256]);
const MAX_POLICY = 64;

/**
 * Decodes the public area of an RSA or ECC key, without the size in front.
 *
 * @throws `wire.truncated`, `wire.trailing_bytes`, `wire.too_large`, `wire.malformed`
 * @throws `wire.unsupported` for keyed hashes, symmetric objects, other curves, hashes and schemes
 */
export function decodeTpmPublic(bytes: Uint8Array): TpmPublic {
  const reader = new ByteReader(bytes);
  const type = reader.u16be('type');
  if (type !== TPM_ALG.ecc && type !== TPM_ALG.rsa) throw unsupported(reader, 'type');
  const nameHash = readHash(reader, 'nameAlg');
  const attributes = reader.u32be('objectAttributes');
  const authPolicy = readSized(reader, 'authPolicy', MAX_POLICY);
  const symmetric = readSymmetric(reader);
  const area = { nameHash, attributes, authPolicy, symmetric, scheme: readScheme(reader) };
  const key = type === TPM_ALG.ecc ? readEcc(reader) : readRsa(reader);
  reader.end('publicArea');
  return { ...area, ...key };
}

/** The bytes whose hash, behind the hash's id, is the object's name. */
export function encodeTpmPublic(area: TpmPublic): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(160)
    .u16be(area.type === 'ecc' ? TPM_ALG.ecc : TPM_ALG.rsa)
    .u16be(TPM_HASHES[area.nameHash].id)
    .u32be(area.attributes);
  writeSized(writer, area.authPolicy);
  if (area.symmetric === undefined) writer.u16be(TPM_ALG.null);
  else writer.u16be(TPM_ALG.aes).u16be(area.symmetric.keyBits).u16be(TPM_ALG.cfb);
  const { scheme } = area;
  if (scheme.kind === 'any') writer.u16be(TPM_ALG.null);
  else writer.u16be(SCHEMES[scheme.kind]).u16be(TPM_HASHES[scheme.hash].id);
  if (area.type === 'rsa') return writeSized(writer.u16be(area.bits).u32be(0), area.modulus).finish();
  writer.u16be(TPM_CURVES[area.curve].id).u16be(TPM_ALG.null);
  return writeSized(writeSized(writer, area.x), area.y).finish();
}

/** TPM2B_PUBLIC: the area behind its size. */
export function readSizedPublic(reader: ByteReader, field: string): TpmPublic {
  return decodeTpmPublic(readSized(reader, field, 1024));
}

/** Whether all of these attributes are set. */
export function hasAttributes({ attributes }: Pick<TpmPublic, 'attributes'>, ...bits: readonly number[]): boolean {
  return bits.every((bit) => (attributes & bit) !== 0);
}

function readHash(reader: ByteReader, field: string): TpmHash {
  const hash = tpmHashOf(reader.u16be(field));
  if (hash === undefined) throw unsupported(reader, field);
  return hash;
}

function readSymmetric(reader: ByteReader): TpmKeyArea['symmetric'] {
  const algorithm = reader.u16be('symmetric');
  if (algorithm === TPM_ALG.null) return undefined;
  if (algorithm !== TPM_ALG.aes) throw unsupported(reader, 'symmetric');
  const keyBits = reader.u16be('symmetric.keyBits');
  if (!AES_BITS.has(keyBits)) throw malformed(reader, 'symmetric.keyBits');
  if (reader.u16be('symmetric.mode') !== TPM_ALG.cfb) throw unsupported(reader, 'symmetric.mode');
  return { keyBits };
}

function readScheme(reader: ByteReader): TpmScheme {
  const id = reader.u16be('scheme');
  if (id === TPM_ALG.null) return { kind: 'any' };
  const kind = (['ecdsa', 'rsassa', 'rsapss'] as const).find((name) => SCHEMES[name] === id);
  if (kind === undefined) throw unsupported(reader, 'scheme');
  return { kind, hash: readHash(reader, 'scheme.hash') };
}

function readEcc(reader: ByteReader): Pick<TpmPublic & { type: 'ecc' }, 'type' | 'curve' | 'x' | 'y'> {
  const id = reader.u16be('curveID');
  const curve = (['P-256', 'P-384', 'P-521'] as const).find((name) => TPM_CURVES[name].id === id);
  if (curve === undefined) throw unsupported(reader, 'curveID');
  if (reader.u16be('kdf') !== TPM_ALG.null) throw unsupported(reader, 'kdf');
  const { size } = TPM_CURVES[curve];
  return { type: 'ecc', curve, x: readSized(reader, 'x', size), y: readSized(reader, 'y', size) };
}

function readRsa(reader: ByteReader): Pick<TpmPublic & { type: 'rsa' }, 'type' | 'bits' | 'modulus'> {
  const bits = reader.u16be('keyBits');
  if (!RSA_BITS.has(bits)) throw unsupported(reader, 'keyBits');
  // Written as zero again: the name would change, so 65537 spelled out is refused.
  const exponent = reader.u32be('exponent');
  if (!RSA_EXPONENTS.has(exponent)) throw unsupported(reader, 'exponent');
  if (exponent !== 0) throw malformed(reader, 'exponent');
  return { type: 'rsa', bits, modulus: readSized(reader, 'modulus', bits / 8) };
}
