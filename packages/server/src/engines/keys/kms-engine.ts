import type * as Amazon from '@aws-sdk/client-kms';
import { digest, SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import type { KeyEngine, KeySignOrder } from '@holdfast/trust/ports';
import { type KmsReference, parseKeyReference } from './key-reference.ts';

type Sdk = typeof Amazon;

/** A signature is a short answer: what takes longer will not come. */
const CONNECT_MS = 3000;
const ANSWER_MS = 5000;
const SCHEMES = { ecdsa: 'ECDSA', 'rsa-pkcs1': 'RSASSA_PKCS1_V1_5', 'rsa-pss': 'RSASSA_PSS' } as const;
const HASHES = { sha256: 'SHA_256', sha384: 'SHA_384', sha512: 'SHA_512' } as const;
const REFUSED: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'CredentialsProviderError',
]);
const NOT_USABLE: ReadonlySet<string> = new Set([
  'NotFoundException',
  'InvalidKeyUsageException',
  'UnsupportedOperationException',
  'InvalidArnException',
  'ValidationException',
]);

/**
 * Keys in AWS KMS, or in anything that speaks its protocol.
 *
 * Credentials come from where Amazon's own tools take them: environment, `~/.aws`, or the machine's role.
 */
export class KmsEngine implements KeyEngine {
  #sdk: Promise<Sdk> | undefined;
  readonly #clients = new Map<string, Amazon.KMSClient>();

  async describe(reference: string): Promise<Uint8Array> {
    return this.#try(reference, async (sdk, client, { keyId: KeyId }) => {
      const { PublicKey, KeyUsage } = await client.send(new sdk.GetPublicKeyCommand({ KeyId }));
      if (PublicKey === undefined || KeyUsage !== 'SIGN_VERIFY') throw badReference('usage');
      return new Uint8Array(PublicKey);
    });
  }

  async sign({ reference, algorithm, bytes }: KeySignOrder): Promise<Uint8Array<ArrayBuffer>> {
    const { SigningAlgorithm, Message } = wordsOf(algorithm, bytes);
    return this.#try(reference, async (sdk, client, { keyId: KeyId }) => {
      const asked = { KeyId, Message, MessageType: 'DIGEST', SigningAlgorithm } as const;
      const { Signature } = await client.send(new sdk.SignCommand(asked));
      return new Uint8Array(Signature ?? []);
    });
  }

  reset(): void {
    for (const client of this.#clients.values()) client.destroy();
    this.#clients.clear();
  }

  close(): void {
    this.reset();
  }

  async #try<Result>(
    reference: string,
    work: (sdk: Sdk, client: Amazon.KMSClient, key: KmsReference) => Promise<Result>,
  ): Promise<Result> {
    const key = parseKeyReference(reference);
    if (key.kind !== 'kms') throw badReference('scheme');
    const sdk = await (this.#sdk ??= import('@aws-sdk/client-kms'));
    try {
      return await work(sdk, this.#client(sdk, key), key);
    } catch (error) {
      if (HoldfastError.is(error)) throw error;
      const reason = error instanceof Error ? error.name : 'unknown';
      if (NOT_USABLE.has(reason)) throw badReference(reason);
      const code = REFUSED.has(reason) ? 'storage.key_engine_refused' : 'storage.key_unavailable';
      throw new HoldfastError(code, { reason }, { cause: error });
    }
  }

  #client(sdk: Sdk, { region, endpoint }: KmsReference): Amazon.KMSClient {
    const name = JSON.stringify([region, endpoint]);
    const known = this.#clients.get(name);
    if (known !== undefined) return known;
    const client = new sdk.KMSClient({
      ...(region === undefined ? {} : { region }),
      ...(endpoint === undefined ? {} : { endpoint }),
      // Whoever calls tries again, and knows when to stop.
      maxAttempts: 1,
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS },
    });
    this.#clients.set(name, client);
    return client;
  }
}

/** KMS signs digests by the names of its own; ECDSA comes back as SEQUENCE { r, s }, PSS with a salt as long as the hash. */
function wordsOf(algorithm: SignatureAlgorithm, bytes: Uint8Array) {
  const row = SIGNATURE_ALGORITHMS[algorithm];
  if (row.scheme === 'ed25519' || row.scheme === 'ml-dsa') {
    throw new HoldfastError('crypto.unsupported_algorithm', { algorithm });
  }
  return {
    SigningAlgorithm: `${SCHEMES[row.scheme]}_${HASHES[row.hash]}` as const,
    Message: digest(row.hash, bytes),
  };
}

function badReference(part: string): HoldfastError {
  return new HoldfastError('storage.bad_key_reference', { part });
}
