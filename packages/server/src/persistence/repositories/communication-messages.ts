import { openAesGcm, sealAesGcm } from '@holdfast/crypto';
import { ByteReader, ByteWriter, concatBytes, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import type { Tenant } from '@holdfast/trust/ports';
import type { StoredMessage } from '../../protocols/mqtt/ports.ts';
import type { MessageKey, MessageKeys } from './communication-keys.ts';

/** What is sealed of a message; the rest decides where it goes and stays readable. */
export type MessageContent = Pick<StoredMessage, 'properties' | 'payload'>;

type MessagePlace = Pick<StoredMessage, 'id' | 'realm' | 'topic'>;

const NONCE_BYTES = 12;

/**
 * Seals messages for their rows: AES-256-GCM under the tenant's key of this life, bound to tenant, id and topic.
 *
 * The nonce is a counter: the key is new at every start, so no two messages share both.
 */
export class MessageSealer {
  readonly #keys: MessageKeys;
  readonly #current = new Map<Tenant, MessageKey>();
  #sealed = 0n;

  constructor(keys: MessageKeys) {
    this.#keys = keys;
  }

  hasKey(tenant: Tenant): boolean {
    return this.#current.has(tenant);
  }

  /** Makes the tenant's key of this life, once. */
  async makeKey(tenant: Tenant): Promise<MessageKey> {
    const key = this.#current.get(tenant) ?? (await this.#keys.create(tenant));
    this.#current.set(tenant, key);
    return key;
  }

  /** @throws `crypto.bad_key` before `makeKey`. */
  seal(message: StoredMessage): Uint8Array {
    const current = this.#current.get(message.realm);
    if (current === undefined) throw new HoldfastError('crypto.bad_key', { reason: 'no key of this life' });
    const { epoch, key } = current;
    const nonce = new ByteWriter()
      .u32be(0)
      .u64be(this.#sealed++)
      .finish();
    const { payload, properties } = message;
    const plain = concatBytes(new ByteWriter().u32be(properties.length).finish(), properties, payload);
    const sealed = sealAesGcm({ key, nonce, aad: placeOf(message) }, plain);
    return concatBytes(new ByteWriter().u32be(epoch).finish(), nonce, sealed);
  }
}

/** Opens rows of this and earlier lives; keeps the keys it met. */
export class MessageOpener {
  readonly #keys: MessageKeys;
  readonly #known = new Map<Tenant, Map<number, Promise<MessageKey>>>();

  constructor(keys: MessageKeys) {
    this.#keys = keys;
  }

  /** Which keys were needed so far. */
  get epochs(): ReadonlyMap<Tenant, ReadonlySet<number>> {
    return new Map([...this.#known].map(([tenant, known]) => [tenant, new Set(known.keys())]));
  }

  /** @throws `crypto.open_failed` when the row was moved or altered, or its key is gone. */
  async open(place: MessagePlace, row: Uint8Array): Promise<MessageContent> {
    const reader = new ByteReader(row);
    if (row.length < 4 + NONCE_BYTES) throw new HoldfastError('crypto.open_failed', { reason: 'too short' });
    const { key } = await this.#key(place.realm, reader.u32be('epoch'));
    const nonce = reader.take(NONCE_BYTES, 'nonce');
    const plain = openAesGcm({ key, nonce, aad: placeOf(place) }, row.subarray(reader.offset));
    const content = new ByteReader(plain);
    const properties = content.take(content.u32be('properties length'), 'properties');
    return { properties, payload: plain.subarray(content.offset) };
  }

  #key(tenant: Tenant, epoch: number): Promise<MessageKey> {
    const ofTenant = this.#known.get(tenant) ?? new Map<number, Promise<MessageKey>>();
    this.#known.set(tenant, ofTenant);
    const known = ofTenant.get(epoch) ?? this.#keys.find(tenant, epoch);
    ofTenant.set(epoch, known);
    return known;
  }
}

function placeOf({ id, realm, topic }: MessagePlace): Uint8Array {
  return encodeUtf8(JSON.stringify(['mqtt-message', realm, id, topic]));
}
