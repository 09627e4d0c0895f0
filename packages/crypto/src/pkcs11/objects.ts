import { equalBytes, HoldfastError } from '@holdfast/kernel';
import { decodeDer, encodeOid } from '@holdfast/wire/asn1';
import { encodeEcSpki, encodeRsaSpki, OID } from '@holdfast/wire/x509';
import { CK, type Pkcs11Attribute, type Pkcs11Handle, type Pkcs11Module } from './module.ts';

const CURVES = [
  ['P-256', encodeOid(OID.secp256r1)],
  ['P-384', encodeOid(OID.secp384r1)],
] as const;

/** A token's session, and the module that opened it. */
export interface Pkcs11Session {
  readonly module: Pkcs11Module;
  readonly session: Pkcs11Handle;
}

/** Objects that have all these attributes, two at most: one is found, two are one too many. */
export function findPkcs11Objects(
  { module, session }: Pkcs11Session,
  template: readonly Pkcs11Attribute[],
): readonly Pkcs11Handle[] {
  module.C_FindObjectsInit(session, template);
  try {
    return module.C_FindObjects(session, 2);
  } finally {
    module.C_FindObjectsFinal(session);
  }
}

/**
 * The SubjectPublicKeyInfo of a public key object: P-256, P-384 or RSA.
 *
 * @throws `crypto.unsupported_algorithm` for another kind; `wire.*` when its attributes are none of a key
 */
export function readPkcs11PublicKey(at: Pkcs11Session, object: Pkcs11Handle): Uint8Array<ArrayBuffer> {
  const read = (type: number): Uint8Array => {
    const [found] = at.module.C_GetAttributeValue(at.session, object, [{ type }]);
    return new Uint8Array(found?.value ?? []);
  };
  // CK_ULONG in the machine's own order; both kinds fit its lowest octet.
  const [kind] = read(CK.keyType);
  if (kind === CK.keyRsa) return encodeRsaSpki({ modulus: read(CK.modulus), exponent: read(CK.publicExponent) });
  const parameters = kind === CK.keyEc ? read(CK.ecParams) : new Uint8Array();
  const [curve] = CURVES.find(([, oid]) => equalBytes(oid, parameters)) ?? [];
  if (curve === undefined) throw new HoldfastError('crypto.unsupported_algorithm', { field: 'pkcs11 key' });
  // CKA_EC_POINT is the point inside a DER OCTET STRING (PKCS #11 3.0, 2.3.3).
  const point = decodeDer(read(CK.ecPoint), 'ecPoint', (reader) => reader.octetString('ecPoint'));
  return encodeEcSpki(curve, point);
}
