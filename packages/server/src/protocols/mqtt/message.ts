import { concatBytes, type EpochMs, encodeUtf8 } from '@holdfast/kernel';
import { encodeProperties, type MqttProperties, type MqttVersion, type Qos, writePublish } from '@holdfast/wire/mqtt';
import type { StoredMessage } from './ports.ts';

/** A PUBLISH packet somewhere in a buffer; `packetIdAt` is absolute, -1 at QoS 0. */
export interface PublishFrame {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly packetIdAt: number;
}

export interface MessageFields {
  readonly realm: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Encoded MQTT 5 properties that travel with the message. */
  readonly properties: Uint8Array;
  readonly expiresAt: EpochMs | undefined;
  /** Session key of the publisher, empty for the server. */
  readonly publisher: string;
  /** The packet it came in, when it may go out unchanged to a subscriber of the same version and QoS. */
  readonly original?: { readonly version: MqttVersion; readonly frame: PublishFrame };
}

/** How one subscriber's copy differs from the plain one. */
export interface Variation {
  readonly qos: Qos;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetId: number;
  readonly properties: MqttProperties;
  /** Leaves the topic out: an alias says it. */
  readonly withoutTopic: boolean;
}

const NO_BYTES = new Uint8Array(0);

/** A message on its way: routed once, encoded once per protocol version and QoS. */
export class Message {
  readonly realm: string;
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: Uint8Array;
  readonly expiresAt: EpochMs | undefined;
  readonly publisher: string;
  /** Identity in the durable store; 0 while it is not there. */
  storedId = 0;
  /** How many durable entries refer to it. */
  references = 0;
  /** Entries of other cores may refer to it too: the store removes it when none does. */
  shared = false;
  #payload: Uint8Array;
  #held = false;
  readonly #original: MessageFields['original'];
  readonly #frames: (PublishFrame | undefined)[] = [];

  constructor(fields: MessageFields) {
    this.realm = fields.realm;
    this.topic = fields.topic;
    this.#payload = fields.payload;
    this.qos = fields.qos;
    this.retain = fields.retain;
    this.properties = fields.properties;
    this.expiresAt = fields.expiresAt;
    this.publisher = fields.publisher;
    this.#original = fields.original;
    if (fields.original !== undefined) this.#frames[slot(fields.original.version, fields.qos)] = fields.original.frame;
  }

  static restored(stored: StoredMessage): Message {
    const message = new Message(stored);
    message.storedId = stored.id;
    return message;
  }

  get payload(): Uint8Array {
    return this.#payload;
  }

  /** Memory it takes, roughly. */
  get size(): number {
    return this.#payload.length + this.topic.length + this.properties.length;
  }

  /** Copies what views a network chunk: called by whoever keeps the message beyond this turn. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    const original = this.#original;
    this.#frames.length = 0;
    if (original === undefined) {
      this.#payload = this.#payload.slice();
      return;
    }
    const { start, end, packetIdAt, bytes } = original.frame;
    const copy = bytes.slice(start, end);
    const payloadAt = this.#payload.byteOffset - bytes.byteOffset - start;
    this.#payload = copy.subarray(payloadAt, payloadAt + this.#payload.length);
    this.#frames[slot(original.version, this.qos)] = {
      bytes: copy,
      start: 0,
      end: copy.length,
      packetIdAt: packetIdAt < 0 ? -1 : packetIdAt - start,
    };
  }

  /** The message as a plain packet of this version: retain 0, dup 0, packet identifier to be patched. */
  frame(version: MqttVersion, qos: Qos): PublishFrame {
    const at = slot(version, qos);
    return (this.#frames[at] ??= this.#encode(version, {
      qos,
      retain: false,
      dup: false,
      packetId: 0,
      properties: {},
      withoutTopic: false,
    }));
  }

  /** The message as one subscriber gets it. */
  varied(version: MqttVersion, variation: Variation): PublishFrame {
    return this.#encode(version, variation);
  }

  toStored(): StoredMessage {
    const { storedId: id, realm, topic, payload, qos, retain, properties, expiresAt, publisher } = this;
    return { id, realm, topic, payload, qos, retain, properties, expiresAt, publisher };
  }

  #encode(version: MqttVersion, variation: Variation): PublishFrame {
    const { qos, retain, dup, packetId, properties, withoutTopic } = variation;
    const own = encodeProperties(properties);
    const { bytes, packetIdAt } = writePublish(
      {
        topic: withoutTopic ? NO_BYTES : encodeUtf8(this.topic),
        payload: this.#payload,
        qos,
        dup,
        retain,
        packetId,
        properties: own.length === 0 ? this.properties : concatBytes(own, this.properties),
      },
      version,
    );
    return { bytes, start: 0, end: bytes.length, packetIdAt };
  }
}

function slot(version: MqttVersion, qos: Qos): number {
  return (version - 4) * 3 + qos;
}

/** Seconds left of a message's life at `now`, at least 1; undefined when it lives on. Callers drop expired ones. */
export function secondsLeft(message: Message, now: EpochMs): number | undefined {
  return message.expiresAt === undefined ? undefined : Math.max(1, Math.ceil((message.expiresAt - now) / 1000));
}

export function isExpired(message: Message, now: EpochMs): boolean {
  return message.expiresAt !== undefined && message.expiresAt <= now;
}
