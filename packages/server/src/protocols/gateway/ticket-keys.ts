import { hkdfSync } from 'node:crypto';
import { type Clock, concatBytes, encodeUtf8, type EpochMs, type Timer } from '@holdfast/kernel';

/** The names that keep a ticket to the one door it was made for. */
export interface TicketScope {
  readonly listener: string;
  /** Digest of the CA bundle the listener trusts for the tenant. */
  readonly trustSet: string;
}

const HOUR_MS = 3_600_000;
/** What Node calls ticketKeys: 16 bytes of name, 16 of HMAC key, 16 of AES key. */
const TICKET_KEY_BYTES = 48;

/**
 * The session ticket keys of one door for one hour: the same on every node, on no disk and on no bus.
 *
 * @param secret - 32 bytes or more from the keyring.
 * @param epoch - Raised on a mass revocation: every ticket before it then makes a full handshake.
 */
export function deriveTicketKeys(secret: Uint8Array, scope: TicketScope, now: EpochMs, epoch: number): Buffer {
  const hour = Math.floor(now / HOUR_MS);
  const fields = ['holdfast tls tickets', scope.listener, scope.trustSet, `${hour}`, `${epoch}`];
  // Lengths first: two scopes must never make the same text.
  const info = concatBytes(...fields.flatMap((field) => [encodeUtf8(`${field.length}:`), encodeUtf8(field)]));
  return Buffer.from(hkdfSync('sha256', secret, new Uint8Array(0), info, TICKET_KEY_BYTES));
}

export interface TicketKeysOptions {
  readonly secret: Uint8Array;
  readonly scope: TicketScope;
  readonly clock: Clock;
  readonly epoch: number;
  /** Puts a new key into use. */
  readonly use: (keys: Buffer) => void;
}

/** Changes a door's ticket keys at every full hour, and at once when the epoch rises. */
export class TicketKeys {
  readonly #options: TicketKeysOptions;
  #epoch: number;
  #timer: Timer | undefined;

  constructor(options: TicketKeysOptions) {
    this.#options = options;
    this.#epoch = options.epoch;
    this.#schedule();
  }

  current(): Buffer {
    const { clock, scope, secret } = this.#options;
    return deriveTicketKeys(secret, scope, clock.now(), this.#epoch);
  }

  raiseEpoch(epoch: number): void {
    if (epoch <= this.#epoch) return;
    this.#epoch = epoch;
    this.#options.use(this.current());
  }

  close(): void {
    this.#timer?.cancel();
  }

  #schedule(): void {
    const { clock, use } = this.#options;
    this.#timer = clock.after(HOUR_MS - (clock.now() % HOUR_MS), () => {
      use(this.current());
      this.#schedule();
    });
  }
}
