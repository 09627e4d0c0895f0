import { HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  contextPrimitive,
  decodeDer,
  type DerReader,
  encodeContext,
  encodeContextPrimitive,
  encodeInteger,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeSequenceOf,
} from '../asn1/index.ts';
import { type AlgorithmIdentifier, readAlgorithm } from '../x509/index.ts';

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const VERSION = 3;
const MAX_LENGTH = 1024 * 1024;
const MAX_ITERATIONS = 10_000_000;
const MAX_CONTENTS = 16;

/** One part of an AuthenticatedSafe: SafeContents in the clear, or encrypted under a password. */
export type Pkcs12Content =
  | { readonly kind: 'plain'; readonly safeContents: Uint8Array }
  | {
      readonly kind: 'encrypted';
      /** DER AlgorithmIdentifier. */
      readonly algorithm: Uint8Array;
      readonly ciphertext: Uint8Array;
    };

/** Password integrity (RFC 7292 4, MacData). */
export interface Pkcs12Mac {
  readonly digestAlgorithm: AlgorithmIdentifier;
  readonly digest: Uint8Array;
  readonly salt: Uint8Array;
  readonly iterations: number;
}

export interface Pfx {
  /** DER AuthenticatedSafe: what the MAC covers. */
  readonly authenticatedSafe: Uint8Array;
  readonly contents: readonly Pkcs12Content[];
  readonly mac: Pkcs12Mac;
}

/** The DER of what a MAC is to be made over. @see RFC 7292 section 4.1 */
export function encodeAuthenticatedSafe(contents: readonly Pkcs12Content[]): Uint8Array<ArrayBuffer> {
  return encodeSequenceOf(contents.map(encodeContent));
}

/** @param digestAlgorithm - DER AlgorithmIdentifier of the MAC's hash. */
export function encodePfx(
  authenticatedSafe: Uint8Array,
  mac: Omit<Pkcs12Mac, 'digestAlgorithm'> & { readonly digestAlgorithm: Uint8Array },
): Uint8Array<ArrayBuffer> {
  return encodeSequence(
    encodeInteger(VERSION),
    contentInfo(DATA, encodeOctetString(authenticatedSafe)),
    encodeSequence(
      encodeSequence(mac.digestAlgorithm, encodeOctetString(mac.digest)),
      encodeOctetString(mac.salt),
      encodeInteger(mac.iterations),
    ),
  );
}

/**
 * Reads a PFX in DER with password integrity.
 *
 * @throws `wire.*`; `wire.unsupported` for public-key integrity or privacy; `wire.too_large` over 1 MiB, 16 contents
 * or ten million iterations
 * @see RFC 7292 section 4
 */
export function decodePfx(bytes: Uint8Array): Pfx {
  if (bytes.length > MAX_LENGTH) throw new HoldfastError('wire.too_large', { field: 'pfx', limit: MAX_LENGTH });
  return decodeDer(bytes, 'pfx', (whole) => {
    const pfx = whole.sequence('pfx');
    if (pfx.uint('version', 255) !== VERSION) throw new HoldfastError('wire.unsupported', { field: 'version' });
    const authenticatedSafe = readContentInfo(pfx, DATA).octetString('authSafe');
    const mac = readMac(pfx.sequence('macData'));
    pfx.end('pfx');
    const contents = decodeDer(authenticatedSafe, 'authenticatedSafe', (safe) =>
      safe.sequenceOf('authenticatedSafe', readContent, MAX_CONTENTS),
    );
    return { authenticatedSafe, contents, mac };
  });
}

function encodeContent(content: Pkcs12Content): Uint8Array {
  if (content.kind === 'plain') return contentInfo(DATA, encodeOctetString(content.safeContents));
  const info = encodeSequence(encodeOid(DATA), content.algorithm, encodeContextPrimitive(0, content.ciphertext));
  return contentInfo(ENCRYPTED_DATA, encodeSequence(encodeInteger(0), info));
}

function contentInfo(type: string, content: Uint8Array): Uint8Array {
  return encodeSequence(encodeOid(type), encodeContext(0, content));
}

function readContentInfo(reader: DerReader, type: string): DerReader {
  const info = reader.sequence('contentInfo');
  if (info.oid('contentType') !== type) throw new HoldfastError('wire.unsupported', { field: 'contentType' });
  const content = info.enter(contextConstructed(0), 'content');
  info.end('contentInfo');
  return content;
}

function readContent(reader: DerReader): Pkcs12Content {
  const info = reader.sequence('contentInfo');
  const type = info.oid('contentType');
  const content = info.enter(contextConstructed(0), 'content');
  info.end('contentInfo');
  const read = type === DATA ? plainContent(content) : type === ENCRYPTED_DATA ? encryptedContent(content) : undefined;
  if (read === undefined) throw new HoldfastError('wire.unsupported', { field: 'contentType' });
  content.end('content');
  return read;
}

function plainContent(content: DerReader): Pkcs12Content {
  return { kind: 'plain', safeContents: content.octetString('data') };
}

function encryptedContent(content: DerReader): Pkcs12Content {
  const data = content.sequence('encryptedData');
  data.uint('version', 0);
  const info = data.sequence('encryptedContentInfo');
  data.end('encryptedData');
  if (info.oid('contentType') !== DATA) throw new HoldfastError('wire.unsupported', { field: 'contentType' });
  const algorithm = info.any('contentEncryptionAlgorithm');
  const ciphertext = info.octetString('encryptedContent', contextPrimitive(0));
  info.end('encryptedContentInfo');
  return { kind: 'encrypted', algorithm, ciphertext };
}

function readMac(reader: DerReader): Pkcs12Mac {
  const info = reader.sequence('mac');
  const digestAlgorithm = readAlgorithm(info, 'digestAlgorithm');
  const digest = info.octetString('digest');
  info.end('mac');
  const salt = reader.octetString('macSalt');
  // DEFAULT 1, which DER leaves out and nobody should use.
  const iterations = reader.isAtEnd ? 1 : reader.uint('iterations', MAX_ITERATIONS);
  reader.end('macData');
  return { digestAlgorithm, digest, salt, iterations };
}
