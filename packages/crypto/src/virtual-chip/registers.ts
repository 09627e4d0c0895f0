import { type Backing, memoryBacking } from './backing.ts';

export const REGISTER_BYTES = 8;

/** Boots in a row without a sign of life after which nothing is tried any more. */
export const MAX_BOOT_ATTEMPTS = 3;

/** Backup registers: they survive a reset and, fed by a battery, the loss of power. */
export class BackupRegisters {
  readonly #backing: Backing;
  readonly #view: DataView;

  constructor(backing: Backing = memoryBacking(new Uint8Array(REGISTER_BYTES))) {
    this.#backing = backing;
    const { buffer, byteOffset } = backing.bytes;
    this.#view = new DataView(buffer, byteOffset, REGISTER_BYTES);
  }

  /** Boots since the factory. */
  get bootCount(): number {
    return this.#view.getUint32(0, true);
  }

  /** Boots in a row after which no application said that it is alive. */
  get attempts(): number {
    return this.#view.getUint32(4, true);
  }

  countBoot(): number {
    this.#set(0, this.bootCount + 1);
    return this.bootCount;
  }

  countAttempt(): void {
    this.#set(4, this.attempts + 1);
  }

  clearAttempts(): void {
    this.#set(4, 0);
  }

  close(): void {
    this.#backing.close();
  }

  #set(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
    this.#backing.save(at, 4);
  }
}
