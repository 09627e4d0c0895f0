import { decodeDer, type DerReader, encodeNull, encodeOid, encodeSequence } from '../asn1/index.ts';
import { OID } from './oids.ts';

/** AlgorithmIdentifier (RFC 5280 4.1.1.2); `parameters` is the raw encoding when present. */
export interface AlgorithmIdentifier {
  readonly oid: string;
  readonly parameters: Uint8Array | undefined;
  readonly raw: Uint8Array;
}

export function readAlgorithm(reader: DerReader, field: string): AlgorithmIdentifier {
  const { raw } = reader.element(field);
  return decodeDer(raw, field, (whole) => {
    const inner = whole.sequence(field);
    const oid = inner.oid(`${field}.algorithm`);
    const parameters = inner.isAtEnd ? undefined : inner.any(`${field}.parameters`);
    inner.end(field);
    return { oid, parameters, raw };
  });
}

const NULL_PARAMETERS: ReadonlySet<string> = new Set([
  OID.rsaEncryption,
  OID.sha256WithRsa,
  OID.sha384WithRsa,
  OID.sha512WithRsa,
]);

/**
 * AlgorithmIdentifier with the parameters its standard asks for when none are given: NULL for PKCS #1 v1.5
 * (RFC 4055 section 5), absent for ECDSA and Ed25519 (RFC 5758 3.2, RFC 8410 section 3).
 */
export function encodeAlgorithm(oid: string, parameters?: Uint8Array): Uint8Array<ArrayBuffer> {
  if (parameters !== undefined) return encodeSequence(encodeOid(oid), parameters);
  return NULL_PARAMETERS.has(oid) ? encodeSequence(encodeOid(oid), encodeNull()) : encodeSequence(encodeOid(oid));
}
