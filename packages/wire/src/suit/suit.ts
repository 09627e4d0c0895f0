import { equalBytes, HoldfastError } from '@holdfast/kernel';
import {
  type CborMap,
  type CborValue,
  cborTagged,
  decodeCbor,
  encodeCbor,
  isCborMap,
  isCborTagged,
} from '../cbor/index.ts';
import { encodeProtectedHeader, sign1ToBeSigned } from '../cose/index.ts';

/** What a manifest says of one image for one class of devices. */
export interface SuitManifest {
  /** Only grows; a device takes no lower one. */
  readonly sequence: number;
  /** 16 bytes: UUIDv5 of the vendor's domain. */
  readonly vendorId: Uint8Array;
  /** 16 bytes: UUIDv5 of the class under the vendor. */
  readonly classId: Uint8Array;
  /** SHA-256. */
  readonly imageDigest: Uint8Array;
  readonly imageSize: number;
  /** Where a device fetches the image; without it the image comes by another way. */
  readonly uri?: string;
}

/** Algorithms of COSE that sign envelopes here. */
export type SuitAlgorithm = 'ES256' | 'ES384' | 'EdDSA';

/** A signed envelope. Byte arrays are what was sent. */
export interface SuitEnvelope {
  readonly manifest: SuitManifest;
  readonly manifestBytes: Uint8Array;
  readonly algorithm: SuitAlgorithm;
  /** SHA-256 that the envelope says {@link suitDigestInput} has. */
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
}

const TAG = { envelope: 107, sign1: 18 } as const;
const ENVELOPE = { authentication: 2, manifest: 3 } as const;
const MANIFEST = { version: 1, sequence: 2, common: 3, validate: 7, invoke: 9, install: 20 } as const;
const COMMON = { components: 2, sharedSequence: 4 } as const;
const PARAMETER = { vendorId: 1, classId: 2, imageDigest: 3, imageSize: 14, uri: 21 } as const;
const CONDITION = { vendor: 1, class: 2, imageMatch: 3 } as const;
const DIRECTIVE = { overrideParameters: 20, fetch: 21, invoke: 23 } as const;
/** What is reported of a command: all of a condition, failures of a directive. */
const REPORT = { all: 15, failures: 2 } as const;
const SHA256 = -16;
const VERSION = 1;
const LENGTH = { uuid: 16, digest: 32 } as const;
const MAX_ENVELOPE = 16_384;
const ALGORITHMS = ['ES256', 'ES384', 'EdDSA'] as const;

/**
 * The manifest: one component, its vendor and class as conditions, the image's digest and size, fetched when it has an
 * address, validated and invoked.
 *
 * @throws `boot.bad_option` for an id or digest of another length, a sequence or size that is no unsigned number, or a
 * long address
 * @see draft-ietf-suit-manifest-37, sections 8.4 and appendix B
 */
export function encodeSuitManifest(manifest: SuitManifest): Uint8Array<ArrayBuffer> {
  const { sequence, vendorId, classId, imageDigest, imageSize, uri } = manifest;
  checkLength(vendorId, LENGTH.uuid, 'vendor id');
  checkLength(classId, LENGTH.uuid, 'class id');
  checkLength(imageDigest, LENGTH.digest, 'image digest');
  for (const [option, value] of [
    ['sequence', sequence],
    ['image size', imageSize],
  ] as const)
    if (!Number.isSafeInteger(value) || value < 0) throw new HoldfastError('boot.bad_option', { option });
  if (uri !== undefined && (uri === '' || uri.length > 2048))
    throw new HoldfastError('boot.bad_option', { option: 'uri' });
  const parameters = new Map<number, CborValue>([
    [PARAMETER.vendorId, vendorId],
    [PARAMETER.classId, classId],
    [PARAMETER.imageDigest, encodeCbor([SHA256, imageDigest])],
    [PARAMETER.imageSize, imageSize],
  ]);
  const shared = [DIRECTIVE.overrideParameters, parameters, CONDITION.vendor, REPORT.all, CONDITION.class, REPORT.all];
  const common = new Map<number, CborValue>([
    [COMMON.components, [[Uint8Array.of(0)]]],
    [COMMON.sharedSequence, encodeCbor(shared)],
  ]);
  const whole = new Map<number, CborValue>([
    [MANIFEST.version, VERSION],
    [MANIFEST.sequence, sequence],
    [MANIFEST.common, encodeCbor(common)],
    [MANIFEST.validate, encodeCbor([CONDITION.imageMatch, REPORT.all])],
    [MANIFEST.invoke, encodeCbor([DIRECTIVE.invoke, REPORT.failures])],
  ]);
  if (uri !== undefined) {
    const fetch = [DIRECTIVE.overrideParameters, new Map([[PARAMETER.uri, uri]]), DIRECTIVE.fetch, REPORT.failures];
    whole.set(MANIFEST.install, encodeCbor([...fetch, CONDITION.imageMatch, REPORT.all]));
  }
  return encodeCbor(whole);
}

/** What the digest of a manifest covers: the manifest with the header of its byte string. */
export function suitDigestInput(manifestBytes: Uint8Array): Uint8Array {
  return encodeCbor(manifestBytes);
}

/** The bytes a signature covers, by the SHA-256 of {@link suitDigestInput}. @see RFC 9052 section 4.4 */
export function suitToBeSigned(algorithm: SuitAlgorithm, digest: Uint8Array): Uint8Array {
  return sign1ToBeSigned(encodeProtectedHeader(algorithm, []), encodeCbor([SHA256, digest]));
}

/** The tagged envelope of a manifest, its digest and a signature: r and s side by side, or Ed25519's 64 bytes. */
export function encodeSuitEnvelope(envelope: Omit<SuitEnvelope, 'manifest'>): Uint8Array<ArrayBuffer> {
  const { manifestBytes, algorithm, digest, signature } = envelope;
  const sign1 = cborTagged(TAG.sign1, [encodeProtectedHeader(algorithm, []), new Map(), null, signature]);
  const authentication = encodeCbor([encodeCbor([SHA256, digest]), encodeCbor(sign1)]);
  const members = new Map<number, CborValue>([
    [ENVELOPE.authentication, authentication],
    [ENVELOPE.manifest, manifestBytes],
  ]);
  return encodeCbor(cborTagged(TAG.envelope, members));
}

/**
 * Decodes an envelope of the form made here, by one signer; neither digest nor signature is judged.
 *
 * @throws `wire.too_large` over 16,384 bytes, `wire.malformed`, `wire.truncated`, `wire.trailing_bytes`; `wire.unsupported`
 * for an algorithm, a member or a command that is not made here
 */
export function decodeSuitEnvelope(bytes: Uint8Array): SuitEnvelope {
  if (bytes.length > MAX_ENVELOPE)
    throw new HoldfastError('wire.too_large', { field: 'SUIT envelope', limit: MAX_ENVELOPE });
  const outer = decodeCbor(bytes, { tags: [TAG.envelope] });
  if (!isCborTagged(outer) || !isCborMap(outer.value)) throw malformed('envelope');
  const manifestBytes = bytesOf(outer.value.get(ENVELOPE.manifest), 'manifest');
  const parts = decodeCbor(bytesOf(outer.value.get(ENVELOPE.authentication), 'authentication'));
  if (!Array.isArray(parts) || parts.length !== 2) throw malformed('authentication');
  const digest = readDigest(parts[0]);
  const sign1 = decodeCbor(bytesOf(parts[1], 'signature'), { tags: [TAG.sign1] });
  const signed = isCborTagged(sign1) && Array.isArray(sign1.value) ? sign1.value : [];
  const header = bytesOf(signed[0], 'protected header');
  const algorithm = ALGORITHMS.find((name) => equalBytes(encodeProtectedHeader(name, []), header));
  if (algorithm === undefined) throw new HoldfastError('wire.unsupported', { field: 'alg' });
  const signature = bytesOf(signed[3], 'signature');
  const manifest = readManifest(manifestBytes);
  const envelope = { manifest, manifestBytes, algorithm, digest, signature };
  // One form, so that nothing rides along that no signature covers: severed members, payloads, unprotected headers.
  if (!equalBytes(encodeSuitEnvelope(envelope), bytes))
    throw new HoldfastError('wire.unsupported', { field: 'envelope' });
  return envelope;
}

function readManifest(bytes: Uint8Array): SuitManifest {
  const whole = mapOf(decodeCbor(bytes), 'manifest');
  const common = mapOf(decodeCbor(bytesOf(whole.get(MANIFEST.common), 'common')), 'common');
  const shared = decodeCbor(bytesOf(common.get(COMMON.sharedSequence), 'shared sequence'));
  const parameters = mapOf(Array.isArray(shared) ? shared[1] : undefined, 'parameters');
  const uri = readUri(whole.get(MANIFEST.install));
  const manifest: SuitManifest = {
    sequence: numberOf(whole.get(MANIFEST.sequence), 'sequence'),
    vendorId: sized(parameters.get(PARAMETER.vendorId), LENGTH.uuid, 'vendor id'),
    classId: sized(parameters.get(PARAMETER.classId), LENGTH.uuid, 'class id'),
    imageDigest: readDigest(parameters.get(PARAMETER.imageDigest)),
    imageSize: numberOf(parameters.get(PARAMETER.imageSize), 'image size'),
    ...(uri === undefined ? {} : { uri }),
  };
  if (!equalBytes(encodeSuitManifest(manifest), bytes))
    throw new HoldfastError('wire.unsupported', { field: 'manifest' });
  return manifest;
}

function readUri(install: CborValue | undefined): string | undefined {
  if (install === undefined) return undefined;
  const sequence = decodeCbor(bytesOf(install, 'install'));
  const uri = mapOf(Array.isArray(sequence) ? sequence[1] : undefined, 'install').get(PARAMETER.uri);
  if (typeof uri !== 'string' || uri === '' || uri.length > 2048) throw malformed('uri');
  return uri;
}

function readDigest(value: CborValue | undefined): Uint8Array {
  const digest = decodeCbor(bytesOf(value, 'digest'));
  if (!Array.isArray(digest) || digest.length !== 2) throw malformed('digest');
  if (digest[0] !== SHA256) throw new HoldfastError('wire.unsupported', { field: 'digest algorithm' });
  return sized(digest[1], LENGTH.digest, 'digest');
}

function bytesOf(value: CborValue | undefined, field: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed(field);
  return value;
}

function sized(value: CborValue | undefined, length: number, field: string): Uint8Array {
  const bytes = bytesOf(value, field);
  if (bytes.length !== length) throw malformed(field);
  return bytes;
}

function mapOf(value: CborValue | undefined, field: string): CborMap {
  if (!isCborMap(value)) throw malformed(field);
  return value;
}

function numberOf(value: CborValue | undefined, field: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed(field);
  return value;
}

function checkLength(bytes: Uint8Array, length: number, option: string): void {
  if (bytes.length !== length) throw new HoldfastError('boot.bad_option', { option, size: bytes.length });
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field: `SUIT ${field}` });
}
