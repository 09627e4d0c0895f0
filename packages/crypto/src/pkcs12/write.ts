import { type Random } from '@holdfast/kernel';
import { encodeNull, encodeOid, encodeSequence } from '@holdfast/wire/asn1';
import { encodeAuthenticatedSafe, encodePfx, encodeSafeContents } from '@holdfast/wire/pkcs12';
import { encodeEncryptedKey, sealPbes2 } from '../keys/pbes2.ts';
import type { PrivateKey } from '../keys/private-key.ts';
import { hmac, sha256 } from '../primitives/hash.ts';
import { derivePkcs12Key, PURPOSE } from './derive-key.ts';

const SHA256 = '2.16.840.1.101.3.4.2.1';

export interface Pkcs12Input {
  readonly key: PrivateKey;
  /** DER: the key's own certificate first, then its issuers. */
  readonly chain: readonly Uint8Array[];
  readonly friendlyName: string;
  readonly password: string;
  /** Rounds for the key, the certificates and the MAC each; a random password of 128 bits needs no more than 2,048. */
  readonly iterations: number;
  readonly random: Random;
}

/**
 * A PKCS #12 file: key and certificates under AES-256-CBC by PBKDF2-HMAC-SHA256, with an HMAC-SHA256 over both.
 *
 * @see RFC 7292; RFC 8018 for PBES2
 */
export async function exportPkcs12(input: Pkcs12Input): Promise<Uint8Array<ArrayBuffer>> {
  const { key, chain, friendlyName, random, password, iterations } = input;
  const [own, ...issuers] = chain;
  const localKeyId = sha256(own ?? new Uint8Array());
  const sealedKey = encodeEncryptedKey(await sealPbes2(key.exportPkcs8(), input));
  const certificates = encodeSafeContents([
    ...(own === undefined ? [] : [{ kind: 'certificate', value: own, friendlyName, localKeyId } as const]),
    ...issuers.map((value) => ({ kind: 'certificate', value }) as const),
  ]);
  const authenticatedSafe = encodeAuthenticatedSafe([
    { kind: 'encrypted', ...(await sealPbes2(certificates, input)) },
    {
      kind: 'plain',
      safeContents: encodeSafeContents([{ kind: 'shrouded-key', value: sealedKey, friendlyName, localKeyId }]),
    },
  ]);
  const salt = random.bytes(16);
  const macKey = derivePkcs12Key(password, salt, { iterations, purpose: PURPOSE.mac });
  return encodePfx(authenticatedSafe, {
    digestAlgorithm: encodeSequence(encodeOid(SHA256), encodeNull()),
    digest: hmac('sha256', macKey, authenticatedSafe),
    salt,
    iterations,
  });
}
