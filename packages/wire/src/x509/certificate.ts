import { encodeHex, HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  contextPrimitive,
  decodeDer,
  DerReader,
  encodeBitString,
  encodeContext,
  encodeInteger,
  encodeSequence,
  encodeTime,
  encodeUnsigned,
  TAG,
} from '../asn1/index.ts';
import { type AlgorithmIdentifier, readAlgorithm } from './algorithm.ts';
import { type Extension, readExtensions } from './extension.ts';
import { decodeKnownExtensions, type KnownExtensions } from './known-extensions.ts';
import { type Name, readName } from './name.ts';
import { readSpki, type SubjectPublicKeyInfo } from './public-key.ts';

/** Milliseconds since the Unix epoch, both ends included (RFC 5280 4.1.2.5). */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A certificate as signed: every byte field is a view of `raw`. */
export interface Certificate {
  readonly raw: Uint8Array;
  /** TBSCertificate, the bytes the signature covers. */
  readonly tbs: Uint8Array;
  readonly version: 1 | 2 | 3;
  /** Lower-case hex of the magnitude; for a negative serial, which RFC 5280 forbids, of the content octets. */
  readonly serial: string;
  /** The INTEGER's content octets. */
  readonly serialBytes: Uint8Array;
  /** The algorithm inside what is signed; a verifier demands that `signatureAlgorithm` is the same bytes. */
  readonly innerAlgorithm: AlgorithmIdentifier;
  readonly issuer: Name;
  readonly validity: Validity;
  readonly subject: Name;
  readonly spki: SubjectPublicKeyInfo;
  readonly extensions: readonly Extension[];
  readonly known: KnownExtensions;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
}

const MAX_CERTIFICATE = 1024 * 1024;
const YEAR_2050 = Date.UTC(2050, 0);

/**
 * Decodes a certificate (RFC 5280 4.1), the extensions we know included.
 *
 * Form only: whether it may be trusted is for path validation.
 *
 * @throws `wire.truncated`, `wire.malformed`, `wire.duplicate`, `wire.too_large` (over 1 MiB), `wire.trailing_bytes`.
 */
export function decodeCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_CERTIFICATE) {
    throw new HoldfastError('wire.too_large', { field: 'certificate', limit: MAX_CERTIFICATE });
  }
  return decodeDer(bytes, 'certificate', (whole) => {
    const reader = whole.sequence('certificate');
    const tbs = reader.expect(TAG.sequence, 'tbsCertificate').raw;
    const signatureAlgorithm = readAlgorithm(reader, 'signatureAlgorithm');
    const signature = reader.octetBitString('signatureValue');
    reader.end('certificate');
    return { raw: bytes, tbs, ...decodeTbs(tbs), signatureAlgorithm, signature };
  });
}

/** Certificate from its signed part: SEQUENCE { tbs, algorithm, BIT STRING signature }. Also the frame of CRLs and CSRs. */
export function encodeSigned(tbs: Uint8Array, algorithm: Uint8Array, signature: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeSequence(tbs, algorithm, encodeBitString(signature));
}

/** What goes into a TBSCertificate; bytes are whole encodings, except `serial`. */
export interface TbsCertificateInput {
  /** Big-endian magnitude. */
  readonly serial: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly issuer: Uint8Array;
  readonly validity: Validity;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly Uint8Array[];
}

const VERSION_3 = encodeContext(0, encodeInteger(2));

/** A version 3 TBSCertificate (RFC 5280 4.1). */
export function encodeTbsCertificate(input: TbsCertificateInput): Uint8Array<ArrayBuffer> {
  return encodeSequence(
    VERSION_3,
    encodeUnsigned(input.serial),
    input.algorithm,
    input.issuer,
    encodeSequence(encodeTime(input.validity.notBefore), encodeTime(input.validity.notAfter)),
    input.subject,
    input.spki,
    encodeContext(3, encodeSequence(...input.extensions)),
  );
}

/** UTCTime through 2049 and GeneralizedTime from then on, as RFC 5280 4.1.2.5 demands. */
export function readValidityTime(reader: DerReader, field: string): number {
  const { offset } = reader;
  const { at, generalized } = reader.time(field);
  if (generalized && at >= Date.UTC(1950, 0) && at < YEAR_2050) {
    throw new HoldfastError('wire.malformed', { field, offset, reason: 'time type' });
  }
  return at;
}

/** Lower-case hex of an INTEGER's content octets without its sign octet. */
export function serialHex(content: Uint8Array): string {
  return encodeHex(content[0] === 0 && content.length > 1 ? content.subarray(1) : content);
}

type Tbs = Omit<Certificate, 'raw' | 'tbs' | 'signatureAlgorithm' | 'signature'>;

function decodeTbs(tbs: Uint8Array): Tbs {
  const reader = new DerReader(tbs).sequence('tbsCertificate');
  const version = readVersion(reader);
  const serialBytes = reader.integerBytes('serialNumber');
  const innerAlgorithm = readAlgorithm(reader, 'signature');
  const issuer = readName(reader, 'issuer');
  const times = reader.sequence('validity');
  const validity = { notBefore: readValidityTime(times, 'notBefore'), notAfter: readValidityTime(times, 'notAfter') };
  times.end('validity');
  const subject = readName(reader, 'subject');
  const spki = readSpki(reader);
  const extensions = readTail(reader, version);
  reader.end('tbsCertificate');
  return {
    version,
    serial: serialHex(serialBytes),
    serialBytes,
    innerAlgorithm,
    issuer,
    validity,
    subject,
    spki,
    extensions,
    known: decodeKnownExtensions(extensions),
  };
}

function readVersion(reader: DerReader): 1 | 2 | 3 {
  const explicit = reader.enterOptional(contextConstructed(0), 'version');
  if (explicit === undefined) return 1;
  const version = explicit.uint('version', 2);
  explicit.end('version');
  if (version === 0) throw new HoldfastError('wire.malformed', { field: 'version', reason: 'encoded default' });
  return version === 1 ? 2 : 3;
}

/** The unique identifiers of version 2, which nobody issues, then the extensions of version 3. */
function readTail(reader: DerReader, version: number): readonly Extension[] {
  for (const number of [1, 2]) {
    const tag = contextPrimitive(number);
    if (reader.peekTag() === tag && version >= 2) reader.bitString('uniqueID', tag);
  }
  const explicit = version === 3 ? reader.enterOptional(contextConstructed(3), 'extensions') : undefined;
  if (explicit === undefined) return [];
  const extensions = readExtensions(explicit);
  explicit.end('extensions');
  return extensions;
}
