import {
  contextConstructed,
  encodeContext,
  encodeInteger,
  encodeOid,
  encodeSequence,
  encodeSetOf,
} from '../asn1/index.ts';
import { encodeExtension, encodeExtKeyUsage, encodeKeyUsage, OID } from '../x509/index.ts';
import type { CsrAttribute } from './csr-attributes.ts';

/** The extensions a device certificate has whatever was asked for; a request with them asks for what it gets. */
const EXTENSIONS = encodeSequence(
  encodeExtension(OID.keyUsage, true, encodeKeyUsage(['digitalSignature'])),
  encodeExtension(OID.extKeyUsage, false, encodeExtKeyUsage([OID.clientAuth])),
);

const LEGACY: readonly CsrAttribute[] = [
  { kind: 'oid', oid: OID.ecdsaWithSha256 },
  { kind: 'attribute', type: OID.ecPublicKey, values: [encodeOid(OID.secp256r1)] },
  { kind: 'attribute', type: OID.extensionRequest, values: [EXTENSIONS] },
];

/**
 * What we ask of a request: a P-256 key, an ECDSA signature with SHA-256, and no names.
 *
 * Both forms at once: who reads the template leaves the rest alone (RFC 9908 section 4). Only when proof of possession
 * must be bound to the connection it is the older form with challengePassword alone (RFC 8951 section 4).
 */
export function deviceCsrAttributes(binding: 'if-present' | 'required'): readonly CsrAttribute[] {
  return binding === 'required'
    ? [{ kind: 'oid', oid: OID.challengePassword }, ...LEGACY]
    : [...LEGACY, { kind: 'attribute', type: OID.certificationRequestInfoTemplate, values: [encodeTemplate()] }];
}

/** CertificationRequestInfoTemplate (RFC 9908 3.4): version, no subject, the key's kind, extensions with values. */
function encodeTemplate(): Uint8Array {
  const keyKind = encodeContext(0, encodeSequence(encodeOid(OID.ecPublicKey), encodeOid(OID.secp256r1)));
  const attributes = encodeSetOf(encodeSequence(encodeOid(OID.extensionRequest), encodeSetOf(EXTENSIONS)));
  attributes[0] = contextConstructed(1);
  return encodeSequence(encodeInteger(0), keyKind, attributes);
}
