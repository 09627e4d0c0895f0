import { generatePrivateKey, type PublicKey, sha256, verifyCsr } from '@holdfast/crypto';
import { encodeBase64, encodeHex, HoldfastError } from '@holdfast/kernel';
import type { Sha256Hex } from '../ports/index.ts';
import type { CertificateWish, EnrollmentContext } from './contracts.ts';
import type { CertificateRequestFacts, KeyFacts } from './enrollment-policy.ts';

/** The key a certificate is asked for, after its proof of possession. */
export interface Applicant {
  readonly publicKey: PublicKey;
  readonly spkiSha256: Sha256Hex;
  readonly keyOrigin: 'device' | 'server';
  /** PKCS#8 DER when the key was made here. */
  readonly privateKeyPkcs8: Uint8Array | undefined;
  readonly request: CertificateRequestFacts;
  readonly binding: KeyFacts['binding'];
}

/** @returns undefined for a request that cannot be read or does not prove possession. */
export async function readApplicant(wish: CertificateWish, context: EnrollmentContext): Promise<Applicant | undefined> {
  if (!('csrDer' in wish)) return makeKey();
  try {
    const { publicKey, info, asksForAuthority, requestedNames } = await verifyCsr(wish.csrDer);
    return {
      publicKey,
      spkiSha256: keyHash(publicKey),
      keyOrigin: 'device',
      privateKeyPkcs8: undefined,
      request: {
        weakKey: publicKey.weakness !== undefined,
        requestsAuthority: asksForAuthority,
        uris: requestedNames.flatMap((name) => (name.kind === 'uri' ? [name.text] : [])),
        otherNames: requestedNames.filter(({ kind }) => kind !== 'uri').length,
      },
      binding: bindingOf(info.challengePassword, context),
    };
  } catch (error) {
    if (HoldfastError.is(error) && /^(?:wire|crypto)\./.test(error.code)) return undefined;
    throw error;
  }
}

/** The same request for a key made here; its own key, weak or not, certifies nothing. */
export async function withServerKey(requester: Applicant): Promise<Applicant> {
  const { request, binding } = requester;
  return { ...(await makeKey()), request: { ...request, weakKey: false }, binding };
}

async function makeKey(): Promise<Applicant> {
  const key = await generatePrivateKey('P-256');
  return {
    publicKey: key.publicKey,
    spkiSha256: keyHash(key.publicKey),
    keyOrigin: 'server',
    privateKeyPkcs8: key.exportPkcs8(),
    request: { weakKey: false, requestsAuthority: false, uris: [], otherNames: 0 },
    binding: 'absent',
  };
}

/** RFC 7030 3.5: a challengePassword, once there, must be the binding of this very connection. */
function bindingOf(challengePassword: string | undefined, context: EnrollmentContext): KeyFacts['binding'] {
  if (challengePassword === undefined || context.channelBinding === undefined) return 'absent';
  const binding = context.channelBinding();
  return binding !== undefined && encodeBase64(binding.bytes) === challengePassword ? 'matches' : 'differs';
}

function keyHash(key: PublicKey): Sha256Hex {
  return encodeHex(sha256(key.spki));
}
