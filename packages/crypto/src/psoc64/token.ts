import { HoldfastError } from '@holdfast/kernel';
import { decodeToken, encodeToken, encodeTokenInput, psoc64Jwk, type TokenPayload } from '@holdfast/wire/psoc64';
import { rawP256 } from '../nordic/p256-signature.ts';
import { nordicPublicKey } from '../nordic/public-key.ts';
import { verifySignature } from '../keys/verify.ts';

/** A provisioning token that waits for its signature. */
export interface PreparedToken {
  readonly algorithm: 'ecdsa-p256-sha256';
  readonly message: Uint8Array;
  /** @param signature - DER. @throws `boot.signature_encoding` */
  finish(signature: Uint8Array): string;
}

/** Lays a token out and says what has to be signed. */
export function prepareToken(payload: TokenPayload): PreparedToken {
  const message = encodeTokenInput(payload);
  return { algorithm: 'ecdsa-p256-sha256', message, finish: (signature) => encodeToken(message, rawP256(signature)) };
}

/** The claims of a token by this key. @throws `boot.bad_signature`, and the decoder's errors */
export function verifyToken(text: string, spki: Uint8Array): TokenPayload {
  const { key } = nordicPublicKey(spki);
  const { payload, covered, signature } = decodeToken(text);
  if (!verifySignature('ecdsa-p256-sha256', key, covered, signature, 'ieee-p1363'))
    throw new HoldfastError('boot.bad_signature');
  return payload;
}

/** A P-256 key as policies and tokens hold it. @throws `boot.unsupported_key`, `crypto.bad_key` */
export function psoc64JwkOf(spki: Uint8Array, keyId?: number): TokenPayload {
  return psoc64Jwk(nordicPublicKey(spki).point, keyId);
}

/** OEM to HSM: whose module may provision this product. */
export function rotAuthorization(product: string, oemSpki: Uint8Array, hsmSpki: Uint8Array): TokenPayload {
  return {
    type: 'OEM_ROT_AUTH',
    oem_pub_key: psoc64JwkOf(oemSpki),
    hsm_pub_key: psoc64JwkOf(hsmSpki),
    prod_id: product,
  };
}

/** HSM to device: the tokens of the others in one. */
export function provisionCommand(parts: TokenPayload): TokenPayload {
  return { ...parts, type: 'HSM_PROV_CMD' };
}
