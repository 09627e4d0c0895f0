import { createCsr, sha256 } from '@holdfast/crypto';
import { HoldfastError, parseStrictJson } from '@holdfast/kernel';
import { JsonFields } from '@holdfast/wire/json';
import { encodePem } from '@holdfast/wire/pem';
import {
  decodeTpmChallenge,
  decodeTpmEnrolled,
  encodeTpmAnswer,
  encodeTpmEnrollmentRequest,
  encodeTpmPublic,
  TPM_ENROLLMENT_PATHS,
} from '@holdfast/wire/tpm2';
import { signerOf } from '../keys/key-store.ts';
import type { TpmIdentity } from '../keys/tpm-identity.ts';
import type { TpmKeyStore } from '../keys/tpm-key-store.ts';
import type { HttpsClient } from '../net/https-client.ts';
import type { DeviceIdentity, IdentityStore } from '../store/identity-store.ts';

const MAX_REPLY = 65_536;

export interface TpmEnrollmentParts {
  readonly tpm: TpmIdentity;
  readonly keys: TpmKeyStore;
  /** Over the same key store. */
  readonly identities: IdentityStore;
  /** What the request asks to be called; the server decides. */
  readonly serial: string;
  /** Certificates between the endorsement certificate and its maker's authority, DER. */
  readonly intermediates?: readonly Uint8Array[];
}

/** Sends a JSON body to a path of the enrollment listener and gives the body of a good answer. */
export type PostJson = (path: string, body: Uint8Array) => Promise<Uint8Array>;

/**
 * The enrollment listener at an origin, `https://HOST:PORT`, asked through a client that trusts it.
 *
 * @throws `device.enrollment_rejected` with the server's code, `device.no_answer`, and what the client throws
 */
export function postJsonOver(https: HttpsClient, origin: string): PostJson {
  return async (path, body) => {
    const reply = await https.send({
      method: 'POST',
      url: `${origin}${path}`,
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body,
      limit: MAX_REPLY,
    });
    if (reply.status === 200) return reply.body;
    if (reply.status >= 500) throw new HoldfastError('device.no_answer', { status: reply.status });
    throw new HoldfastError('device.enrollment_rejected', { status: reply.status, code: codeIn(reply.body) });
  };
}

function codeIn(body: Uint8Array): string | undefined {
  try {
    return new JsonFields(parseStrictJson(body), 'problem').text('code', { pattern: /^[a-z_.]{1,64}$/ });
  } catch {
    return undefined;
  }
}

/**
 * Enrolls by what the TPM is: no claim, no password. The key of the request was made in the TPM and stays there.
 *
 * @throws what `post` throws; `device.tpm_refused`, `device.tpm_no_endorsement`, `device.enrollment_rejected`
 */
export async function enrollByTpm(parts: TpmEnrollmentParts, post: PostJson): Promise<DeviceIdentity> {
  const { tpm, keys, identities, serial, intermediates = [] } = parts;
  const endorsement = await tpm.endorsement();
  const attestationKey = await tpm.attestationKey();
  const key = await identities.pendingKey();
  const csr = await createCsr({ subject: [{ type: 'commonName', value: serial.slice(0, 64) }] }, signerOf(key));
  const request = encodeTpmEnrollmentRequest({
    endorsementCertificate: endorsement.certificateDer,
    intermediates,
    endorsementKey: encodeTpmPublic(endorsement.area),
    attestationKey: encodeTpmPublic(attestationKey),
    deviceKey: encodeTpmPublic(keys.areaOfKey(key)),
    certification: await tpm.certify(key, sha256(csr)),
    csr,
  });
  const challenge = decodeTpmChallenge(await post(TPM_ENROLLMENT_PATHS.challenge, request));
  const secret = await tpm.activate(endorsement, challenge);
  const answer = encodeTpmAnswer({ challenge: challenge.challenge, secret });
  const { deviceId, certificate } = decodeTpmEnrolled(await post(TPM_ENROLLMENT_PATHS.enroll, answer));
  return identities.adopt(encodePem('CERTIFICATE', certificate), deviceId);
}
