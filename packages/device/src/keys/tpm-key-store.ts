import { ecdsaToDer, importPublicKey, type PrivateKey, sha256, tpmSpki } from '@holdfast/crypto';
import { concatBytes, decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import {
  decodeLoadableKey,
  decodeTpmPublic,
  encodeLoadableKey,
  type LoadableTpmKey,
  TPM_HANDLE,
  tpmCalls,
  type TpmPublic,
  type TpmSignature,
} from '@holdfast/wire/tpm2';
import type { DeviceStore } from '../store/device-store.ts';
import { type DeviceKey, type HardwareKey, isHardwareKey, type KeyStore, tlsKeyOf } from './key-store.ts';
import type { Tpm } from './tpm.ts';
import { DEVICE_KEY, STORAGE_KEY } from './tpm-templates.ts';

/** Where a storage key stays, by the TCG's provisioning guidance. */
const STORAGE_HANDLE = 0x81000001;
const HALF = 32;

/**
 * Keys made in a TPM that never leave it: the store keeps what only this TPM can load, in the file format of
 * OpenSSL's TPM providers, and a storage key stays in the chip.
 */
export class TpmKeyStore implements KeyStore {
  readonly kind = 'tpm';
  readonly #tpm: Tpm;
  readonly #store: DeviceStore;

  constructor(tpm: Tpm, store: DeviceStore) {
    this.#tpm = tpm;
    this.#store = store;
  }

  create(name: string): Promise<HardwareKey> {
    return this.createFrom(name, DEVICE_KEY);
  }

  /** Makes a key of another template: the attestation key is one. */
  async createFrom(name: string, template: TpmPublic): Promise<HardwareKey> {
    const made = await this.#tpm.exclusively(async () => {
      await this.#ensureStorageKey();
      return this.#tpm.run(tpmCalls.create(STORAGE_HANDLE, template));
    });
    const pem = encodeLoadableKey({ parent: STORAGE_HANDLE, ...made });
    this.#store.write(fileOf(name), encodeUtf8(pem));
    return this.#keyOf(pem);
  }

  put(_name: string, _key: PrivateKey): Promise<void> {
    return Promise.reject(new HoldfastError('device.key_not_importable', { store: this.kind }));
  }

  /** @throws `wire.*` when the file is none of ours */
  load(name: string): Promise<HardwareKey | undefined> {
    const pem = this.#read(name);
    return Promise.resolve(pem === undefined ? undefined : this.#keyOf(pem));
  }

  /** What was loadable is gone with its file: the TPM keeps no copy of a key that is not persistent. */
  remove(name: string): Promise<void> {
    this.#store.remove(fileOf(name));
    return Promise.resolve();
  }

  /** The public area of a kept key, as its name covers it. */
  areaOf(name: string): TpmPublic | undefined {
    const pem = this.#read(name);
    return pem === undefined ? undefined : areaIn(decodeLoadableKey(pem));
  }

  /** The public area of one of this store's keys. @throws `device.key_not_in_tpm` for a key of another store */
  areaOfKey(key: DeviceKey): TpmPublic {
    return areaIn(loadableOf(key));
  }

  /** Loads one of this store's keys for as long as `use` runs, inside `Tpm.exclusively`. */
  withOwnKey<T>(key: DeviceKey, use: (handle: number) => Promise<T>): Promise<T> {
    return this.#loaded(loadableOf(key), use);
  }

  /** Loads a kept key for as long as `use` runs, inside `Tpm.exclusively`. @throws `device.tpm_refused` when another TPM made it */
  async withKey<T>(name: string, use: (handle: number) => Promise<T>): Promise<T> {
    const pem = this.#read(name);
    if (pem === undefined) throw new HoldfastError('device.folder_damaged', { file: fileOf(name) });
    return this.#loaded(decodeLoadableKey(pem), use);
  }

  #keyOf(pem: string): HardwareKey {
    const kept = decodeLoadableKey(pem);
    const publicKey = importPublicKey(tpmSpki(areaIn(kept)));
    const sign = async (bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> => {
      const digest = sha256(bytes);
      return derOf(
        await this.#tpm.exclusively(() =>
          this.#loaded(kept, (handle) => this.#tpm.run(tpmCalls.signDigest(handle, digest))),
        ),
      );
    };
    const signer = { algorithm: 'ecdsa-p256-sha256', publicKeySpki: publicKey.spki, sign } as const;
    return { kind: 'hardware', publicKey, signer, tls: { key: pem } };
  }

  async #loaded<T>(
    { parent, privateArea, publicArea }: LoadableTpmKey,
    use: (handle: number) => Promise<T>,
  ): Promise<T> {
    await this.#ensureStorageKey();
    return this.#tpm.using(tpmCalls.load(parent, privateArea, publicArea), use);
  }

  async #ensureStorageKey(): Promise<void> {
    if ((await this.#tpm.find(tpmCalls.readPublic(STORAGE_HANDLE))) !== undefined) return;
    const { handle } = await this.#tpm.run(tpmCalls.createPrimary(TPM_HANDLE.owner, STORAGE_KEY));
    try {
      await this.#tpm.run(tpmCalls.evictControl(handle, STORAGE_HANDLE));
    } finally {
      await this.#tpm.run(tpmCalls.flushContext(handle));
    }
  }

  #read(name: string): string | undefined {
    const bytes = this.#store.read(fileOf(name));
    return bytes && decodeUtf8(bytes, fileOf(name));
  }
}

function loadableOf(key: DeviceKey): LoadableTpmKey {
  const tls = tlsKeyOf(key);
  if (!isHardwareKey(key) || !('key' in tls)) throw new HoldfastError('device.key_not_in_tpm');
  return decodeLoadableKey(tls.key);
}

const fileOf = (name: string): string => `${name}.tpm.pem`;

/** Without the size in front. */
function areaIn({ publicArea }: LoadableTpmKey): TpmPublic {
  return decodeTpmPublic(publicArea.subarray(2));
}

function derOf(signature: TpmSignature): Uint8Array<ArrayBuffer> {
  if (signature.scheme !== 'ecdsa') throw new HoldfastError('crypto.unsupported_algorithm', { algorithm: 'rsa' });
  return ecdsaToDer(concatBytes(padded(signature.r), padded(signature.s)));
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(HALF);
  whole.set(bytes.subarray(-HALF), Math.max(HALF - bytes.length, 0));
  return whole;
}
