import { type KeyObject, sign } from 'node:crypto';
import { encodeProtectedHeader, encodeSign1, sign1ToBeSigned } from '@holdfast/wire/cose';
import { type EvidenceClaims, encodeEvidenceClaims } from '@holdfast/wire/eat';

/** Who signs evidence: the leaf key that the boot stages handed over, with the chain that says what they measured. */
export interface Attester {
  readonly privateKey: KeyObject;
  /** DER certificates: leaf, bootloader, anchor. */
  readonly chain: readonly Uint8Array[];
}

/** A COSE_Sign1 (ES256) over the claims, the chain in its protected header. */
export function signEvidence({ privateKey, chain }: Attester, claims: EvidenceClaims): Uint8Array {
  const header = encodeProtectedHeader('ES256', chain);
  const payload = encodeEvidenceClaims(claims);
  const signature = sign('sha256', sign1ToBeSigned(header, payload), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return encodeSign1(header, payload, new Uint8Array(signature));
}
