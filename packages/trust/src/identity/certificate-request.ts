import {
  type CertificationRequest,
  generatePrivateKey,
  isKeyIdentifierOf,
  type PublicKey,
  sha256,
  takesEnvelopes,
  verifyCsr,
} from '@holdfast/crypto';
import { encodeBase64, encodeHex, HoldfastError } from '@holdfast/kernel';
import { OID } from '@holdfast/wire/x509';
import type { CertificateRecord, Sha256Hex } from '../ports/index.ts';
import type { CertificateWish, EnrollmentContext, EnvelopeKey } from './contracts.ts';
import type { CertificateRequestFacts, KeyFacts } from './enrollment-policy.ts';

/** The key a certificate is asked for, after its proof of possession. */
export interface Applicant {
  readonly publicKey: PublicKey;
  readonly spkiSha256: Sha256Hex;
  readonly keyOrigin: CertificateRecord['keyOrigin'];
  /** PKCS#8 DER when the key was made here. */
  readonly privateKeyPkcs8: Uint8Array | undefined;
  readonly request: CertificateRequestFacts;
  readonly binding: KeyFacts['binding'];
  /** Whom a key made here is to be encrypted for. */
  readonly encryptFor: EnvelopeKey | undefined;
}

/** @returns undefined for a request that cannot be read or does not prove possession. */
export async function readApplicant(wish: CertificateWish, context: EnrollmentContext): Promise<Applicant | undefined> {
  if (!('csrDer' in wish)) return makeKey();
  try {
    const csr = await verifyCsr(wish.csrDer);
    const { publicKey, info, asksForAuthority, requestedNames } = csr;
    const encryptFor = keyToEncryptFor(csr);
    return {
      publicKey,
      spkiSha256: keyHash(publicKey),
      keyOrigin: context.station?.keyOrigin ?? 'device',
      privateKeyPkcs8: undefined,
      request: {
        weakKey: publicKey.weakness !== undefined,
        requestsAuthority: asksForAuthority,
        uris: requestedNames.flatMap((name) => (name.kind === 'uri' ? [name.text] : [])),
        otherNames: requestedNames.filter(({ kind }) => kind !== 'uri').length,
        unknownDecryptKey: namesDecryptKey(info) && encryptFor === undefined,
      },
      binding: bindingOf(info.challengePassword, context),
      encryptFor,
    };
  } catch (error) {
    if (HoldfastError.is(error) && /^(?:wire|crypto)\./.test(error.code)) return undefined;
    throw error;
  }
}

/** The same request for a key made here; its own key, weak or not, certifies nothing. */
export async function withServerKey(requester: Applicant): Promise<Applicant> {
  const { request, binding, encryptFor } = requester;
  return { ...(await makeKey()), request: { ...request, weakKey: false }, binding, encryptFor };
}

async function makeKey(): Promise<Applicant> {
  const key = await generatePrivateKey('P-256');
  return {
    publicKey: key.publicKey,
    spkiSha256: keyHash(key.publicKey),
    keyOrigin: 'server',
    privateKeyPkcs8: key.exportPkcs8(),
    request: { weakKey: false, requestsAuthority: false, uris: [], otherNames: 0, unknownDecryptKey: false },
    binding: 'absent',
    encryptFor: undefined,
  };
}

/** RFC 7030 4.4.1: by a shared key, of which we have none, or by a key pair. */
function namesDecryptKey({ attributeTypes }: CertificationRequest['info']): boolean {
  return [OID.decryptKeyId, OID.asymmetricDecryptKeyId].some((type) => attributeTypes.includes(type));
}

/** The one key pair we know of whoever asks is that of the request, which it just proved to hold. */
function keyToEncryptFor({ info, publicKey }: CertificationRequest): EnvelopeKey | undefined {
  const keyIdentifier = info.asymmetricDecryptKeyId;
  if (keyIdentifier === undefined || info.attributeTypes.includes(OID.decryptKeyId)) return undefined;
  const isKnown = isKeyIdentifierOf(keyIdentifier, info.spki.key) && takesEnvelopes(publicKey);
  return isKnown ? { key: publicKey, keyIdentifier } : undefined;
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
