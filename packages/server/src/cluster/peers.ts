import {
  type Clock,
  encodeUtf8,
  decodeUtf8,
  HoldfastError,
  type Log,
  type Timer,
  toHoldfastError,
} from '@holdfast/kernel';
import type { Bus } from '../engines/bus/index.ts';
import type {
  ConnectionInfo,
  DurableStore,
  Forwarding,
  PeerMessage,
  Peers,
  PeerSide,
  StoreChange,
  StoredDelivery,
  StoredMessage,
  StoredState,
  Turn,
} from '../protocols/mqtt/index.ts';
import { Channel } from './channel.ts';
import type { NodeIds } from './node-ids.ts';
import type { SharedSessions, StoredFor } from './ports.ts';
import { type Carried, headOf, messageOf, type Note, type TakeoverNote, type TakeoverPlace } from './records.ts';
import type { SealedFrames } from './sealed-frames.ts';
import { Wants } from './wants.ts';

/** What is told of connections beside messages. */
export interface FleetListener {
  /** What this node has to tell one that knows nothing of it. */
  snapshot(): readonly Note[];
  heard(nodeId: string, note: Note): void;
  forget(nodeId: string): void;
}

export interface ClusterPeersPorts {
  readonly nodeId: string;
  /** For operators. */
  readonly name: string;
  /** First tokens of every subject: of this cluster alone. */
  readonly prefix: string;
  readonly bus: Bus;
  readonly frames: SealedFrames;
  readonly ids: NodeIds;
  readonly sessions: SharedSessions;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Log;
  readonly fleet: FleetListener;
  /** A session of another node was taken over by a connection of this one. */
  readonly onTakenOver: (previous: TakeoverPlace, next: ConnectionInfo) => void;
  /** One was taken over at another node. */
  readonly onTakeover: (takeover: TakeoverNote) => void;
}

const BEAT_MS = 1_000;
/** A node that is silent for so long gets no messages. */
const SILENT_MS = 5_000;
const YIELD_MS = 1_000;
/** How long a node that takes a session may be unknown here. */
const REMEMBERED_MS = 30_000;
const ATTEMPTS = 5;
/** Without the bus the store is looked at this often for what waits, and this often for everything. */
const RELOAD_EVERY = 5;

/** Kinds of change that only the node that has the session may make. */
const OWNERS: ReadonlySet<StoreChange['kind']> = new Set([
  'session-saved',
  'subscription-saved',
  'subscription-removed',
  'delivery-moved',
  'delivery-removed',
  'inbound-saved',
  'inbound-removed',
]);

/** What the other nodes hear at once, so that they store for a session from its first subscription on. */
const TOLD: ReadonlySet<StoreChange['kind']> = new Set([
  'session-saved',
  'session-removed',
  'subscription-saved',
  'subscription-removed',
]);

/** This node's MQTT core among those of the other nodes: sessions by lease in the store, messages over the bus. */
export class ClusterPeers implements Peers, DurableStore {
  readonly #ports: ClusterPeersPorts;
  readonly #channel: Channel;
  readonly #wants = new Wants();
  /** Epoch by which this node has a session. */
  readonly #epochs = new Map<string, number>();
  /** Node that has a session. */
  readonly #owners = new Map<string, string>();
  /** Monotonic ms when each node was last heard. */
  readonly #nodes = new Map<string, number>();
  /** Sessions that are about to be connected here. */
  readonly #claiming = new Map<string, { any: boolean }>();
  /** Monotonic ms when something was last stored here for a session that is not connected here. */
  readonly #storedFor = new Map<string, number>();
  #side: PeerSide | undefined;
  #timer: Timer | undefined;
  #beats = 0;
  #catching: Promise<void> | undefined;
  #again = false;

  constructor(ports: ClusterPeersPorts) {
    this.#ports = ports;
    const { bus, frames, log, nodeId, prefix, turn } = ports;
    this.#channel = new Channel({
      bus,
      frames,
      turn,
      log,
      prefix,
      nodeId,
      onNote: (sender, note, carried) => this.#onNote(sender, note, carried),
      onGap: (sender, isNew) => this.#onGap(sender, isNew),
    });
    bus.respond(this.#askSubject(nodeId), (frame) => this.#yield(frame));
    bus.onChange((up) => {
      if (!up) return;
      this.tell({ t: 'hello' });
      void this.catchUp();
    });
  }

  /** Begins to serve; the core has loaded what is shared. */
  async start(side: PeerSide): Promise<void> {
    this.#side = side;
    for (const [key, { nodeId }] of await this.#ports.sessions.leases()) this.#owners.set(key, nodeId);
    this.tell({ t: 'hello' });
    this.#timer = this.#ports.clock.every(BEAT_MS, () => this.#beat());
    this.#beat();
    // What was told between loading and now.
    await this.catchUp();
  }

  /** Says goodbye; connections have ended before. */
  close(): void {
    this.#timer?.cancel();
    this.tell({ t: 'bye' });
    this.#channel.flush();
  }

  /** Nodes heard of lately, this one not. */
  get others(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  tell(note: Note): void {
    this.#channel.send(undefined, note);
  }

  nextId(): number {
    return this.#ports.ids.next();
  }

  load(): Promise<StoredState> {
    return this.#ports.sessions.loadShared();
  }

  async claim(next: ConnectionInfo): Promise<StoredState> {
    const { nodeId, onTakenOver, sessions } = this.#ports;
    const key = next.sessionKey;
    for (let attempt = 1; ; attempt++) {
      const before = await sessions.lease(key);
      if (before !== undefined && before.nodeId !== '' && before.nodeId !== nodeId) {
        const previous = await this.#askToYield(before.nodeId, key);
        if (previous !== undefined) onTakenOver(previous, next);
      }
      const epoch = this.nextId();
      try {
        await sessions.takeLease(key, before, { nodeId, epoch });
      } catch (error) {
        if (!isConflict(error) || attempt === ATTEMPTS) throw error;
        continue;
      }
      this.#epochs.set(key, epoch);
      this.#owners.set(key, nodeId);
      const missed = { any: false };
      this.#claiming.set(key, missed);
      this.tell({ t: 'claimed', key });
      return this.#load(key, missed);
    }
  }

  /** What is stored while the session is read, and until it is connected here, is read after that. */
  async #load(key: string, missed: { any: boolean }): Promise<StoredState> {
    const { sessions, turn } = this.#ports;
    try {
      return await sessions.loadSession(key);
    } finally {
      turn.defer(() => {
        void (async () => {
          await sessions.append([], () => undefined).catch(() => undefined);
          if (this.#claiming.get(key) === missed) this.#claiming.delete(key);
          if (missed.any) await this.#takeWaiting(key);
        })();
      });
    }
  }

  release(key: string): void {
    const epoch = this.#epochs.get(key);
    if (epoch === undefined) return;
    void this.#drop(key, epoch);
  }

  wanted(realm: string, text: string, on: boolean): void {
    this.tell({ t: 'want', realm, text, on });
  }

  forward(message: PeerMessage, { served, stored }: Forwarding): ReturnType<Peers['forward']> {
    const nodes = this.#wants.of(message.realm, message.topic, served);
    const there = new Set<string>();
    for (const [node, groups] of nodes) {
      for (const group of groups) there.add(group);
      this.#channel.send(node, { t: 'message', head: headOf(message), stored, groups }, message);
    }
    return { wanted: nodes.size > 0, served: there };
  }

  async append(changes: readonly StoreChange[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const own = this.#permitted(changes);
      if (attempt === 1) this.#tellChanges(own);
      try {
        await this.#ports.sessions.append(own, (key) => this.#epochs.get(key));
        this.#tellStored(own);
        return;
      } catch (error) {
        if (!isConflict(error) || attempt === ATTEMPTS || !(await this.#loseSome(own))) throw error;
      }
    }
  }

  /** Reads from the store what may have been missed on the bus. */
  catchUp(): Promise<void> {
    if (this.#catching !== undefined) {
      this.#again = true;
      return this.#catching;
    }
    this.#catching = this.#catchUp(true).finally(() => {
      this.#catching = undefined;
      if (!this.#again) return;
      this.#again = false;
      void this.catchUp();
    });
    return this.#catching;
  }

  /** A session ended in the store because it was offline for long enough. */
  expired(key: string): void {
    const change: StoreChange = { kind: 'session-removed', key };
    this.#epochs.delete(key);
    this.#owners.delete(key);
    this.#side?.apply(change);
    this.tell({ t: 'change', change });
  }

  /** Sessions that the store says another node has, or nobody. */
  async checkLeases(): Promise<void> {
    const mine = await this.#ports.sessions.leases(this.#ports.nodeId);
    for (const [key, epoch] of this.#epochs) if (mine.get(key)?.epoch !== epoch) this.#lose(key, '');
  }

  /** Changes that are this node's to make: of sessions it has, of no session, and what it stores for others. */
  #permitted(changes: readonly StoreChange[]): readonly StoreChange[] {
    return changes.flatMap((change): readonly StoreChange[] => {
      const key = keyOf(change);
      if (key === undefined || this.#epochs.has(key)) return [change];
      if (change.kind === 'delivery-saved') {
        return [{ ...change, delivery: { ...change.delivery, packetId: 0, state: 'queued' } }];
      }
      return OWNERS.has(change.kind) ? [] : [change];
    });
  }

  #tellChanges(changes: readonly StoreChange[]): void {
    for (const change of changes) if (TOLD.has(change.kind)) this.tell({ t: 'change', change });
  }

  /** What is durable now, and concerns connections of other nodes. */
  #tellStored(changes: readonly StoreChange[]): void {
    const messages = new Map<number, StoredMessage>();
    const deliveries = new Map<string, Map<number, (readonly [string, StoredDelivery])[]>>();
    for (const change of changes) {
      if (change.kind === 'message-saved') messages.set(change.message.id, change.message);
      else if (change.kind === 'retained-saved') this.#tellRetained(messages.get(change.messageId));
      else if (change.kind === 'retained-removed') {
        this.tell({ t: 'unretain', realm: change.realm, topic: change.topic, id: this.nextId() });
      } else if (change.kind === 'delivery-saved' && this.#isElsewhere(change.key)) {
        const node = this.#owners.get(change.key);
        if (node === undefined || !this.#nodes.has(node)) continue;
        const ofNode = deliveries.get(node) ?? new Map();
        deliveries.set(node, ofNode);
        const ofMessage = ofNode.get(change.delivery.messageId) ?? [];
        ofNode.set(change.delivery.messageId, ofMessage);
        ofMessage.push([change.key, change.delivery]);
      }
    }
    for (const [node, ofNode] of deliveries) {
      for (const [id, list] of ofNode) this.#tellWaiting(node, { id, message: messages.get(id), list });
    }
  }

  #isElsewhere(key: string): boolean {
    const claiming = this.#claiming.get(key);
    if (claiming !== undefined) claiming.any = true;
    if (this.#epochs.has(key)) return false;
    this.#storedFor.set(key, this.#ports.clock.monotonicMs());
    return true;
  }

  #tellRetained(message: StoredMessage | undefined): void {
    if (message === undefined) this.tell({ t: 'reload' });
    else this.#channel.send(undefined, { t: 'retain', id: message.id, head: headOf(message) }, message);
  }

  #tellWaiting(
    node: string,
    {
      id,
      list,
      message,
    }: {
      readonly id: number;
      readonly message: StoredMessage | undefined;
      readonly list: readonly (readonly [string, StoredDelivery])[];
    },
  ): void {
    if (message === undefined) for (const [key] of list) this.#channel.send(node, { t: 'waiting', key });
    else this.#channel.send(node, { t: 'stored', id, head: headOf(message), deliveries: list }, message);
  }

  #onNote(sender: string, note: Note, carried: Carried): void {
    const side = this.#side;
    if (note.t !== 'bye') this.#nodes.set(sender, this.#ports.clock.monotonicMs());
    switch (note.t) {
      case 'hello':
        this.#introduce(sender);
        return;
      case 'beat':
        this.#channel.expect(sender, note.sent[this.#ports.nodeId] ?? 0);
        return;
      case 'bye':
        this.#forget(sender);
        return;
      case 'snapshot':
        this.#wants.snapshot(sender, note.part);
        this.#ports.fleet.heard(sender, note);
        return;
      case 'want':
        this.#wants.set(sender, note.realm, note.text, note.on);
        return;
      case 'presence':
        this.#ports.fleet.heard(sender, note);
        return;
      case 'takeover':
        this.#ports.onTakeover(note.takeover);
        return;
      case 'claimed':
        this.#lose(note.key, sender);
        // Stored when another node, or none, was thought to have it.
        if (this.#storedFor.has(note.key)) this.#channel.send(sender, { t: 'waiting', key: note.key });
        return;
      case 'change':
        this.#onChange(note.change);
        return;
      case 'message':
        side?.receive(messageOf(note.head, carried), note.stored, note.groups);
        return;
      case 'stored':
        for (const [key, delivery] of note.deliveries) {
          this.#take({ key, delivery, message: { ...messageOf(note.head, carried), id: note.id } });
        }
        return;
      case 'retain':
        side?.retain({ ...messageOf(note.head, carried), id: note.id });
        return;
      case 'unretain':
        side?.unretain(note.realm, note.topic, note.id);
        return;
      case 'waiting':
        this.#waits(note.key);
        return;
      case 'reload':
        void this.catchUp();
    }
  }

  #take({ delivery, key, message }: StoredFor): void {
    const claiming = this.#claiming.get(key);
    if (claiming !== undefined) claiming.any = true;
    if (this.#epochs.has(key)) this.#side?.take(key, delivery, message);
  }

  #waits(key: string): void {
    const claiming = this.#claiming.get(key);
    if (claiming === undefined) void this.#takeWaiting(key);
    else claiming.any = true;
  }

  /** A session that this node has is not changed by what another one says of it. */
  #onChange(change: StoreChange): void {
    const key = keyOf(change);
    if (key === undefined || this.#epochs.has(key)) return;
    this.#side?.apply(change);
  }

  #onGap(sender: string, isNew: boolean): void {
    this.#channel.send(sender, { t: 'hello' });
    if (!isNew) void this.catchUp();
  }

  /** Tells one node all that it cannot read from the store. */
  #introduce(node: string): void {
    this.#channel.send(node, { t: 'snapshot', part: 'begin' });
    for (const { realm, text } of this.#side?.wanted() ?? []) {
      this.#channel.send(node, { t: 'want', realm, text, on: true });
    }
    for (const note of this.#ports.fleet.snapshot()) this.#channel.send(node, note);
    this.#channel.send(node, { t: 'snapshot', part: 'end' });
  }

  #beat(): void {
    const { bus, clock, name } = this.#ports;
    const now = clock.monotonicMs();
    if (bus.state.up) {
      for (const [node, heardAt] of this.#nodes) if (now - heardAt > SILENT_MS) this.#forget(node);
    }
    for (const [key, at] of this.#storedFor) if (now - at > REMEMBERED_MS) this.#storedFor.delete(key);
    const sent = Object.fromEntries(this.others.map((node) => [node, this.#channel.sentTo(node)]));
    this.tell({ t: 'beat', name, sent });
    this.#beats++;
    if (!bus.state.up) void this.#catchUp(this.#beats % RELOAD_EVERY === 0);
  }

  #forget(node: string): void {
    this.#nodes.delete(node);
    this.#wants.forget(node);
    this.#channel.forget(node);
    this.#ports.fleet.forget(node);
  }

  /** What was missed: sessions that are elsewhere by now, those that came, what waits. */
  async #catchUp(whole: boolean): Promise<void> {
    try {
      await this.checkLeases();
      if (whole) {
        for (const [key, { nodeId }] of await this.#ports.sessions.leases()) this.#owners.set(key, nodeId);
        this.#side?.reload(await this.#ports.sessions.loadShared());
      }
      await this.#takeWaiting();
    } catch (error) {
      this.#ports.log.warn('what other nodes stored could not be read', { code: toHoldfastError(error).code });
    }
  }

  /** Of one session, or of all that this node has. */
  async #takeWaiting(key?: string): Promise<void> {
    const { nodeId, sessions } = this.#ports;
    try {
      // After what this node itself has under way: a message that was just acknowledged is not read again.
      await sessions.append([], () => undefined);
      for (const each of await sessions.loadQueued(nodeId, key)) this.#take(each);
    } catch (error) {
      this.#ports.log.warn('what waits in the store could not be read', { code: toHoldfastError(error).code });
    }
  }

  #lose(key: string, owner: string): void {
    this.#owners.set(key, owner);
    this.#epochs.delete(key);
    this.#side?.lose(key);
  }

  /** @returns whether one of the sessions is another node's by now. */
  async #loseSome(changes: readonly StoreChange[]): Promise<boolean> {
    const { log, nodeId, sessions } = this.#ports;
    let lost = false;
    for (const key of new Set(changes.map(keyOf))) {
      const epoch = key === undefined ? undefined : this.#epochs.get(key);
      if (key === undefined || epoch === undefined) continue;
      const lease = await sessions.lease(key);
      if (lease?.epoch === epoch && lease.nodeId === nodeId) continue;
      log.info('a late write was refused: another node has the session', { session: key, code: 'store.conflict' });
      this.#lose(key, lease?.nodeId ?? '');
      lost = true;
    }
    return lost;
  }

  async #drop(key: string, epoch: number): Promise<void> {
    const { log, sessions } = this.#ports;
    try {
      // After the session's own last changes.
      await sessions.append([], () => undefined);
      await sessions.dropLease(key, epoch);
    } catch (error) {
      log.debug('a lease was not given back', { code: toHoldfastError(error).code });
    }
    if (this.#epochs.get(key) !== epoch) return;
    this.#epochs.delete(key);
    this.#owners.delete(key);
  }

  async #askToYield(node: string, key: string): Promise<TakeoverPlace | undefined> {
    const { bus, frames, nodeId } = this.#ports;
    const subject = this.#askSubject(node);
    const question = frames.seal(subject, encodeUtf8(JSON.stringify({ key, from: nodeId })));
    const answer = await bus.request(subject, question, YIELD_MS);
    if (answer === undefined) return undefined;
    const { content } = frames.open(this.#askSubject(nodeId), answer);
    return (JSON.parse(decodeUtf8(content, 'answer')) as { readonly previous?: TakeoverPlace }).previous;
  }

  async #yield(frame: Uint8Array): Promise<Uint8Array> {
    const { frames, nodeId } = this.#ports;
    const { content } = frames.open(this.#askSubject(nodeId), frame);
    const { from, key } = JSON.parse(decodeUtf8(content, 'question')) as {
      readonly key: string;
      readonly from: string;
    };
    const info = await this.#side?.yieldSession(key);
    const previous = info && {
      connectionId: info.connectionId,
      remoteAddress: info.address,
      connectedAt: info.connectedAt,
    };
    return frames.seal(this.#askSubject(from), encodeUtf8(JSON.stringify({ previous })));
  }

  #askSubject(node: string): string {
    return `${this.#ports.prefix}.ask.${node}`;
  }
}

function keyOf(change: StoreChange): string | undefined {
  if (change.kind === 'session-saved') return change.session.key;
  return 'key' in change ? change.key : undefined;
}

function isConflict(error: unknown): boolean {
  return HoldfastError.is(error) && error.code === 'store.conflict';
}
