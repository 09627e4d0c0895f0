import type { StoreChange, StoredDelivery, StoredMessage } from '../protocols/mqtt/index.ts';
import { type Carried, headOf, type Note } from './records.ts';

/** To one node, or to all. */
export type Send = (to: string | undefined, note: Note, carried?: Carried) => void;

export interface ChangeNotesPorts {
  readonly send: Send;
  readonly nextId: () => number;
  /** Node that has a session and is not this one; undefined when nobody can be told. */
  readonly ownerOf: (key: string) => string | undefined;
}

/** What the other nodes hear at once, so that they store for a session from its first subscription on. */
const TOLD: ReadonlySet<StoreChange['kind']> = new Set([
  'session-saved',
  'session-removed',
  'subscription-saved',
  'subscription-removed',
]);

/** Tells of sessions and their subscriptions, before they are durable. */
export function tellChanges(changes: readonly StoreChange[], send: Send): void {
  for (const change of changes) if (TOLD.has(change.kind)) send(undefined, { t: 'change', change });
}

type Deliveries = (readonly [key: string, delivery: StoredDelivery])[];

/** Tells what is durable now: what is retained, and what waits for sessions of other nodes. */
export function tellStored(changes: readonly StoreChange[], { nextId, ownerOf, send }: ChangeNotesPorts): void {
  const messages = new Map<number, StoredMessage>();
  const deliveries = new Map<string, Map<number, Deliveries>>();
  for (const change of changes) {
    if (change.kind === 'message-saved') messages.set(change.message.id, change.message);
    else if (change.kind === 'retained-saved') tellRetained(messages.get(change.messageId), send);
    else if (change.kind === 'retained-removed') {
      send(undefined, { t: 'unretain', realm: change.realm, topic: change.topic, id: nextId() });
    } else if (change.kind === 'delivery-saved') {
      const node = ownerOf(change.key);
      if (node !== undefined) listOf(deliveries, node, change.delivery.messageId).push([change.key, change.delivery]);
    }
  }
  for (const [node, ofNode] of deliveries) {
    for (const [id, list] of ofNode) tellWaiting(node, list, { id, message: messages.get(id), send });
  }
}

function listOf(all: Map<string, Map<number, Deliveries>>, node: string, messageId: number): Deliveries {
  const ofNode = all.get(node) ?? new Map<number, Deliveries>();
  const list = ofNode.get(messageId) ?? [];
  all.set(node, ofNode);
  ofNode.set(messageId, list);
  return list;
}

/** A message that was stored before, as QoS 2 is, is not at hand any more: the others read it. */
function tellRetained(message: StoredMessage | undefined, send: Send): void {
  if (message === undefined) send(undefined, { t: 'reload' });
  else send(undefined, { t: 'retain', id: message.id, head: headOf(message) }, message);
}

function tellWaiting(
  node: string,
  deliveries: Deliveries,
  { id, message, send }: { readonly id: number; readonly message: StoredMessage | undefined; readonly send: Send },
): void {
  if (message === undefined) for (const [key] of deliveries) send(node, { t: 'waiting', key });
  else send(node, { t: 'stored', id, head: headOf(message), deliveries }, message);
}
