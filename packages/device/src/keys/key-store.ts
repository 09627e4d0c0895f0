import { createSigner, type PrivateKey, type PublicKey, sha256, type Signer } from '@holdfast/crypto';
import { encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';

/** How `node:tls` is told to use a key: the text of one it can read, or a name that an OpenSSL engine knows. */
export type TlsKey =
  | { readonly key: string }
  | { readonly privateKeyIdentifier: string; readonly privateKeyEngine: string };

/** A key that stays where it was made and is used through its public half, a signer and a name. */
export interface HardwareKey {
  readonly kind: 'hardware';
  readonly publicKey: PublicKey;
  readonly signer: Signer;
  readonly tls: TlsKey;
}

/** A key of this device: in its memory, or in a chip. */
export type DeviceKey = PrivateKey | HardwareKey;

/** What the key itself signed as its last act. */
export interface KeyDestruction {
  /** `destructionStatement`, UTF-8. */
  readonly statement: Uint8Array;
  /** By the destroyed key, by its default algorithm. */
  readonly signature: Uint8Array;
}

/** Where private keys live, by name: files, a TPM or a PKCS #11 token behind the same calls. */
export interface KeyStore {
  /** `software` keys can be copied by who reads the disk; the others cannot. */
  readonly kind: 'software' | 'tpm' | 'pkcs11';
  /** Makes a P-256 key pair and keeps it before it is handed out. */
  create(name: string): Promise<DeviceKey>;
  /** Keeps a key that somebody else made. @throws `device.key_not_importable` where keys are made inside only */
  put(name: string, key: PrivateKey): Promise<void>;
  load(name: string): Promise<DeviceKey | undefined>;
  /** Makes the key unusable for ever; nothing when there is none. */
  remove(name: string): Promise<void>;
}

export function isHardwareKey(key: DeviceKey): key is HardwareKey {
  return 'kind' in key && key.kind === 'hardware';
}

/** The key itself, for who shows that it could be copied. @throws `device.key_not_exportable` for one in a chip */
export function softwareKeyOf(key: DeviceKey): PrivateKey {
  if (isHardwareKey(key)) throw new HoldfastError('device.key_not_exportable');
  return key;
}

export function signerOf(key: DeviceKey): Signer {
  return isHardwareKey(key) ? key.signer : createSigner(key);
}

export function tlsKeyOf(key: DeviceKey): TlsKey {
  return isHardwareKey(key) ? key.tls : { key: key.exportPem() };
}

/** What a key signs before it is destroyed: its own fingerprint, where it lived, and the asker's challenge. */
export function destructionStatement(spki: Uint8Array, store: KeyStore['kind'], challenge: Uint8Array): string {
  return `holdfast/key-destroyed/v1\n${encodeHex(sha256(spki))}\n${store}\n${encodeHex(challenge)}\n`;
}

/**
 * Destroys a key and lets it say so: the statement is signed, the key removed, and only then handed out.
 *
 * It shows that the holder of the key agreed; that no copy exists, only a store that never gave one out can show.
 *
 * @returns undefined when there is no such key
 */
export async function destroyKey(
  keys: KeyStore,
  name: string,
  challenge: Uint8Array,
): Promise<KeyDestruction | undefined> {
  const key = await keys.load(name);
  if (key === undefined) return undefined;
  const statement = encodeUtf8(destructionStatement(key.publicKey.spki, keys.kind, challenge));
  const signature = await signerOf(key).sign(statement);
  await keys.remove(name);
  return { statement, signature };
}
