import { decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import type { DeviceStore } from './device-store.ts';

/** One JSON file of the device's own making. */
export class JsonRecord<T> {
  readonly #store: DeviceStore;
  readonly #name: string;

  constructor(store: DeviceStore, name: string) {
    this.#store = store;
    this.#name = name;
  }

  /** @throws `device.folder_damaged` when the file is not JSON */
  load(): T | undefined {
    const bytes = this.#store.read(this.#name);
    if (bytes === undefined) return undefined;
    try {
      return JSON.parse(decodeUtf8(bytes)) as T;
    } catch (cause) {
      throw new HoldfastError('device.folder_damaged', { file: this.#name }, { cause });
    }
  }

  save(value: T): void {
    this.#store.write(this.#name, encodeUtf8(JSON.stringify(value)));
  }

  clear(): void {
    this.#store.remove(this.#name);
  }
}
