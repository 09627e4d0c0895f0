import { openAesGcm, sealAesGcm } from '@holdfast/crypto';
import { ByteReader, ByteWriter, concatBytes, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import type { StoredMessage } from '../../protocols/mqtt/ports.ts';

/** Keys of message rows, one for each life of the process; sealed in the keyring, in clear in memory only. */
export interface MessageKeys {
  /** Makes and keeps a fresh key; `epoch` is from 1 and never repeats. */
  create(): Promise<MessageKey>;
  /** @throws `crypto.open_failed` when the key of that life is gone. */
  find(epoch: number): Promise<MessageKey>;
}

export interface MessageKey {
  readonly epoch: number;
  /** 32 octets. */
  readonly key: Uint8Array;
}

/** What is sealed of a message; the rest decides where it goes and stays readable. */
export type MessageContent = Pick<StoredMessage, 'properties' | 'payload'>;

type MessagePlace = Pick<StoredMessage, 'id' | 'realm' | 'topic'>;

const EPOCH_BYTES = 4;
const NONCE_BYTES = 12;

/**
 * Seals messages for their rows: AES-256-GCM under this life's key, bound to tenant, id and topic.
 *
 * The nonce is a counter: the key is new at every start, so no two messages share both.
 */
export class MessageSealer {
  readonly #current: MessageKey;
  #sealed = 0n;

  constructor(current: MessageKey) {
    this.#current = current;
  }

  seal(message: StoredMessage): Uint8Array {
    const { epoch, key } = this.#current;
    const nonce = new ByteWriter(NONCE_BYTES)
      .u32be(0)
      .u64be(this.#sealed++)
      .finish()
      .slice();
    const { payload, properties } = message;
    const plain = concatBytes(new ByteWriter().u32be(properties.length).finish(), properties, payload);
    const sealed = sealAesGcm({ key, nonce, aad: placeOf(message) }, plain);
    return concatBytes(new ByteWriter().u32be(epoch).finish(), nonce, sealed);
  }
}

/** Opens rows of this and earlier lives; keeps the keys it met. */
export class MessageOpener {
  readonly #keys: MessageKeys;
  readonly #known = new Map<number, Promise<MessageKey>>();

  constructor(keys: MessageKeys) {
    this.#keys = keys;
  }

  /** @throws `crypto.open_failed` when the row was moved or altered, or its key is gone. */
  async open(place: MessagePlace, row: Uint8Array): Promise<MessageContent> {
    if (row.length < EPOCH_BYTES + NONCE_BYTES) throw new HoldfastError('crypto.open_failed', { reason: 'too short' });
    const reader = new ByteReader(row);
    const { key } = await this.#key(reader.u32be('epoch'));
    const nonce = reader.take(NONCE_BYTES, 'nonce');
    const plain = openAesGcm({ key, nonce, aad: placeOf(place) }, row.subarray(reader.offset));
    const content = new ByteReader(plain);
    const properties = content.take(content.u32be('properties length'), 'properties');
    return { properties, payload: plain.subarray(content.offset) };
  }

  #key(epoch: number): Promise<MessageKey> {
    const known = this.#known.get(epoch) ?? this.#keys.find(epoch);
    this.#known.set(epoch, known);
    return known;
  }
}

function placeOf({ id, realm, topic }: MessagePlace): Uint8Array {
  return encodeUtf8(JSON.stringify(['mqtt-message', realm, id, topic]));
}
