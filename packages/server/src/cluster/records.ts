import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8 } from '@holdfast/kernel';
import type { Presence } from '@holdfast/trust/ports';
import type { PeerMessage, StoreChange, StoredDelivery } from '../protocols/mqtt/index.ts';

/** A message without what is carried beside the JSON. */
export type MessageHead = Omit<PeerMessage, 'payload' | 'properties' | 'expiresAt'> & {
  readonly expiresAt: number | null;
};

/** The state of connections that take over from each other, for the watch on copied keys. */
export interface TakeoverNote {
  readonly tenant: string;
  readonly deviceId: string;
  readonly previous: TakeoverPlace;
  readonly next: TakeoverPlace;
}

export interface TakeoverPlace {
  readonly connectionId: string;
  readonly remoteAddress: string;
  readonly connectedAt: number;
}

/** What nodes tell each other. Payload and properties travel beside it as they are. */
export type Note =
  /** Somebody came, or missed something: tell it everything. */
  | { readonly t: 'hello' }
  /** Still here; `heard` says how many frames each other node should have got. */
  | { readonly t: 'beat'; readonly name: string; readonly sent: Readonly<Record<string, number>> }
  | { readonly t: 'bye' }
  /** What follows, up to the end, is all there is: what is not in it is gone. */
  | { readonly t: 'snapshot'; readonly part: 'begin' | 'end' }
  | { readonly t: 'want'; readonly realm: string; readonly text: string; readonly on: boolean }
  | { readonly t: 'presence'; readonly on: boolean; readonly presence: Presence }
  | { readonly t: 'takeover'; readonly takeover: TakeoverNote }
  | { readonly t: 'claimed'; readonly key: string }
  | { readonly t: 'change'; readonly change: StoreChange }
  | {
      readonly t: 'message';
      readonly head: MessageHead;
      readonly stored: readonly string[];
      readonly groups: readonly string[];
    }
  | {
      readonly t: 'stored';
      readonly id: number;
      readonly head: MessageHead;
      readonly deliveries: readonly (readonly [key: string, delivery: StoredDelivery])[];
    }
  | { readonly t: 'retain'; readonly id: number; readonly head: MessageHead }
  | { readonly t: 'unretain'; readonly realm: string; readonly topic: string; readonly id: number }
  /** Something waits in the store for a session of the node that hears it. */
  | { readonly t: 'waiting'; readonly key: string }
  /** Sessions or retained messages changed in a way that only the store tells. */
  | { readonly t: 'reload' };

export interface Carried {
  readonly properties: Uint8Array;
  readonly payload: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);
const NOTHING: Carried = { properties: NO_BYTES, payload: NO_BYTES };

/** One note with its own length in front, so that many make a frame. */
export function encodeNote(note: Note, { payload, properties }: Carried = NOTHING): Uint8Array {
  const json = encodeUtf8(JSON.stringify(note));
  return new ByteWriter()
    .u32be(json.length)
    .bytes(json)
    .u32be(properties.length)
    .bytes(properties)
    .u32be(payload.length)
    .bytes(payload)
    .finish();
}

/**
 * Takes a frame apart. What it holds was sealed by a node that has the root key, so its shape is not doubted; bytes
 * that are no notes give one error.
 *
 * @throws `wire.truncated`
 */
export function decodeNotes(frame: Uint8Array): readonly (readonly [Note, Carried])[] {
  const notes: (readonly [Note, Carried])[] = [];
  const reader = new ByteReader(frame);
  while (reader.remaining > 0) {
    const json = decodeUtf8(reader.take(reader.u32be('note length'), 'note'), 'note');
    const properties = reader.take(reader.u32be('properties length'), 'properties');
    const payload = reader.take(reader.u32be('payload length'), 'payload');
    notes.push([JSON.parse(json) as Note, { properties, payload }]);
  }
  return notes;
}

export function headOf({ expiresAt, publisher, qos, realm, retain, topic }: PeerMessage): MessageHead {
  return { realm, topic, qos, retain, publisher, expiresAt: expiresAt ?? null };
}

export function messageOf(head: MessageHead, { payload, properties }: Carried): PeerMessage {
  return { ...head, payload, properties, expiresAt: head.expiresAt ?? undefined };
}
