import { createSigner, generatePrivateKey, type KeyKind, type PrivateKey } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import type { KeySignOrder } from '@holdfast/trust/ports';
import type { ResettableEngine } from '../key-engines.ts';

type Fault = 'unavailable' | 'refused' | 'hangs';

/** Keys in memory behind the port of a token, which a test can take away, lock, hang or exchange. */
export class FakeKeyEngine implements ResettableEngine {
  readonly #keys = new Map<string, PrivateKey>();
  fault: Fault | undefined;
  /** Faults that remain before it answers again by itself. */
  faultsLeft = Number.POSITIVE_INFINITY;
  asked = 0;
  atOnce = 0;
  mostAtOnce = 0;
  resets = 0;

  /** Makes a key, or another one under the same name, and other names for it. */
  async put(reference: string, kind: KeyKind = 'P-256', ...aliases: readonly string[]): Promise<PrivateKey> {
    const key = await generatePrivateKey(kind);
    for (const name of [reference, ...aliases]) this.#keys.set(name, key);
    return key;
  }

  describe(reference: string): Promise<Uint8Array> {
    return this.#answer(reference, async (key) => key.publicKey.spki);
  }

  sign({ reference, algorithm, bytes }: KeySignOrder): Promise<Uint8Array<ArrayBuffer>> {
    return this.#answer(reference, (key) => createSigner(key, algorithm).sign(bytes));
  }

  reset(): void {
    this.resets += 1;
  }

  /** A token outlives the server. */
  close(): void {}

  async #answer<Result>(reference: string, work: (key: PrivateKey) => Promise<Result>): Promise<Result> {
    this.asked += 1;
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    try {
      await this.#fail();
      const key = this.#keys.get(reference);
      if (key === undefined) throw new HoldfastError('storage.bad_key_reference', { part: 'no_key' });
      return await work(key);
    } finally {
      this.atOnce -= 1;
    }
  }

  async #fail(): Promise<void> {
    if (this.fault === undefined || this.faultsLeft <= 0) return;
    this.faultsLeft -= 1;
    if (this.fault === 'hangs') await new Promise<never>(() => undefined);
    const code = this.fault === 'refused' ? 'storage.key_engine_refused' : 'storage.key_unavailable';
    throw new HoldfastError(code, { reason: 'device_removed' });
  }
}
