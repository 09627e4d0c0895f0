import { decodeBase64, encodeBase64 } from '@holdfast/kernel';
import { encodeRatchetProof } from '@holdfast/wire/holdfast';
import type { DeviceStore } from '../store/device-store.ts';
import { JsonRecord } from '../store/json-record.ts';

interface Values {
  /** The server heard of it. */
  readonly held?: string;
  /** Kept, and perhaps turned to: whether the server heard of it is not known here. */
  readonly next?: string;
}

/** Who turns the values: the server on this connection. */
export interface RatchetServer {
  offer(): Promise<Uint8Array>;
  turn(value: Uint8Array): Promise<void>;
}

/**
 * The value that the next connection must show. A new one is kept before the server turns to it, and the old one until
 * the server said so: wherever power is lost, one of the two is the one that counts.
 */
export class RatchetMemory {
  readonly #record: JsonRecord<Values>;

  constructor(store: DeviceStore) {
    this.#record = new JsonRecord(store, 'ratchet.json');
  }

  /** Undefined while the device takes no part. */
  proof(): Uint8Array | undefined {
    const { held, next } = this.#record.load() ?? {};
    const values = [next, held].filter((value) => value !== undefined).map((value) => decodeBase64(value, 'ratchet'));
    return values.length === 0 ? undefined : encodeRatchetProof(values);
  }

  /** Turns once; a turn whose end was not heard of is repeated, for its value may be the one that counts. */
  async turn(server: RatchetServer): Promise<void> {
    const { held, next } = this.#record.load() ?? {};
    const value = next === undefined ? await server.offer() : decodeBase64(next, 'ratchet');
    const kept = encodeBase64(value);
    if (next === undefined) this.#record.save({ ...(held === undefined ? {} : { held }), next: kept });
    await server.turn(value);
    this.#record.save({ held: kept });
  }

  /** The server did not offer what was kept: it began anew. */
  forgetNext(): void {
    const { held } = this.#record.load() ?? {};
    if (held === undefined) this.#record.clear();
    else this.#record.save({ held });
  }
}
