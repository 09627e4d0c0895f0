import { generatePrivateKey, importPrivateKey, type PrivateKey } from '@holdfast/crypto';
import type { DeviceStore } from '../store/device-store.ts';
import type { KeyStore } from './key-store.ts';

/** Keys as PKCS #8 files of the device's store. */
export class FileKeyStore implements KeyStore {
  readonly kind = 'software';
  readonly #store: DeviceStore;

  constructor(store: DeviceStore) {
    this.#store = store;
  }

  async create(name: string): Promise<PrivateKey> {
    const key = await generatePrivateKey('P-256');
    await this.put(name, key);
    return key;
  }

  put(name: string, key: PrivateKey): Promise<void> {
    this.#store.write(fileOf(name), key.exportPkcs8());
    return Promise.resolve();
  }

  /** @throws `crypto.bad_key` when the file is no key */
  async load(name: string): Promise<PrivateKey | undefined> {
    const pkcs8 = this.#store.read(fileOf(name));
    return pkcs8 === undefined ? undefined : importPrivateKey(pkcs8);
  }

  remove(name: string): Promise<void> {
    this.#store.remove(fileOf(name));
    return Promise.resolve();
  }
}

const fileOf = (name: string): string => `${name}.key`;
