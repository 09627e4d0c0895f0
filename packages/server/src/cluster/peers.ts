import { HoldfastError, type Timer, toHoldfastError } from '@holdfast/kernel';
import type {
  ConnectionInfo,
  DurableStore,
  Forwarding,
  PeerMessage,
  Peers,
  PeerSide,
  StoreChange,
  StoredState,
} from '../protocols/mqtt/index.ts';
import { CatchUp } from './catch-up.ts';
import { type Send, tellChanges, tellStored } from './change-notes.ts';
import { Channel } from './channel.ts';
import { Holdings, keyOf } from './holdings.ts';
import type { ClusterPeersPorts } from './peer-ports.ts';
import { type Carried, headOf, messageOf, type Note } from './records.ts';
import { Wants } from './wants.ts';
import { Yielding } from './yielding.ts';

const BEAT_MS = 1_000;
/** A node that is silent for so long gets no messages. */
const SILENT_MS = 5_000;
const ATTEMPTS = 5;
/** Without the bus the store is looked at this often for what waits, and this often for everything. */
const RELOAD_EVERY = 5;

/** This node's MQTT core among those of the other nodes: sessions by lease in the store, messages over the bus. */
export class ClusterPeers implements Peers, DurableStore {
  readonly #ports: ClusterPeersPorts;
  readonly #channel: Channel;
  readonly #wants = new Wants();
  readonly #send: Send = (to, note, carried) => this.#channel.send(to, note, carried);
  readonly #holdings: Holdings;
  readonly #yielding: Yielding;
  readonly #catchUp: CatchUp;
  /** Monotonic ms when each node was last heard. */
  readonly #nodes = new Map<string, number>();
  #side: PeerSide | undefined;
  #timer: Timer | undefined;
  #beats = 0;

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
    this.#holdings = new Holdings(nodeId, ports.clock);
    const { sessions } = ports;
    this.#catchUp = new CatchUp({ nodeId, sessions, log, holdings: this.#holdings, side: () => this.#side });
    this.#yielding = new Yielding({
      bus,
      frames,
      nodeId,
      prefix,
      onAsked: async (key) => this.#side?.yieldSession(key),
    });
    bus.onChange((up) => {
      if (!up) return;
      this.tell({ t: 'hello' });
      void this.#catchUp.all();
    });
  }

  /** Begins to serve; the core has loaded what is shared. */
  async start(side: PeerSide): Promise<void> {
    this.#side = side;
    this.#holdings.learn(await this.#ports.sessions.leases());
    this.tell({ t: 'hello' });
    this.#timer = this.#ports.clock.every(BEAT_MS, () => this.#beat());
    this.#beat();
    // What was told between loading and now.
    await this.#catchUp.all();
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
        const previous = await this.#yielding.ask(before.nodeId, key);
        if (previous !== undefined) onTakenOver(previous, next);
      }
      const epoch = this.nextId();
      try {
        await sessions.takeLease(key, before, { nodeId, epoch });
      } catch (error) {
        if (!isConflict(error) || attempt === ATTEMPTS) throw error;
        continue;
      }
      const missed = this.#holdings.take(key, epoch);
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
          this.#holdings.settled(key, missed);
          if (missed.any) await this.#catchUp.waiting(key);
        })();
      });
    }
  }

  release(key: string): void {
    const epoch = this.#holdings.epochOf(key);
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
      const own = this.#holdings.permitted(changes);
      if (attempt === 1) tellChanges(own, this.#send);
      try {
        await this.#ports.sessions.append(own, (key) => this.#holdings.epochOf(key));
        this.#tellStored(own);
        return;
      } catch (error) {
        if (!isConflict(error) || attempt === ATTEMPTS || !(await this.#loseSome(own))) throw error;
      }
    }
  }

  /** Reads from the store what may have been missed on the bus. */
  catchUp(): Promise<void> {
    return this.#catchUp.all();
  }

  /** A session ended in the store because it was offline for long enough. */
  expired(key: string): void {
    const change: StoreChange = { kind: 'session-removed', key };
    this.#holdings.forget(key);
    this.#side?.apply(change);
    this.tell({ t: 'change', change });
  }

  #tellStored(changes: readonly StoreChange[]): void {
    tellStored(changes, {
      send: this.#send,
      nextId: () => this.nextId(),
      ownerOf: (key) => {
        const owner = this.#holdings.storesElsewhere(key) ? this.#holdings.ownerOf(key) : undefined;
        return owner !== undefined && this.#nodes.has(owner) ? owner : undefined;
      },
    });
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
        this.#catchUp.lose(note.key, sender);
        // Stored when another node, or none, was thought to have it.
        if (this.#holdings.storedLately(note.key)) this.#channel.send(sender, { t: 'waiting', key: note.key });
        return;
      case 'change':
        this.#onChange(note.change);
        return;
      case 'message':
        side?.receive(messageOf(note.head, carried), note.stored, note.groups);
        return;
      case 'stored':
        for (const [key, delivery] of note.deliveries) {
          this.#catchUp.take({ key, delivery, message: { ...messageOf(note.head, carried), id: note.id } });
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
        void this.#catchUp.all();
    }
  }

  #waits(key: string): void {
    if (!this.#holdings.missedBy(key)) void this.#catchUp.waiting(key);
  }

  /** A session that this node has is not changed by what another one says of it. */
  #onChange(change: StoreChange): void {
    const key = keyOf(change);
    if (key === undefined || this.#holdings.has(key)) return;
    this.#side?.apply(change);
  }

  #onGap(sender: string, isNew: boolean): void {
    this.#channel.send(sender, { t: 'hello' });
    if (!isNew) void this.#catchUp.all();
  }

  /**
   * Tells one node all that it cannot read from the store. What was told to all before goes before it, and what is told
   * after it after: else it would take back what it does not hold yet.
   */
  #introduce(node: string): void {
    this.#channel.flush();
    this.#channel.send(node, { t: 'snapshot', part: 'begin' });
    for (const { realm, text } of this.#side?.wanted() ?? []) {
      this.#channel.send(node, { t: 'want', realm, text, on: true });
    }
    for (const note of this.#ports.fleet.snapshot()) this.#channel.send(node, note);
    this.#channel.send(node, { t: 'snapshot', part: 'end' });
    this.#channel.flush();
  }

  #beat(): void {
    const { bus, clock, name } = this.#ports;
    const now = clock.monotonicMs();
    if (bus.state.up) {
      for (const [node, heardAt] of this.#nodes) if (now - heardAt > SILENT_MS) this.#forget(node);
    }
    this.#holdings.tidy();
    const sent = Object.fromEntries(this.others.map((node) => [node, this.#channel.sentTo(node)]));
    this.tell({ t: 'beat', name, sent });
    this.#beats++;
    if (!bus.state.up) void this.#catchUp.look(this.#beats % RELOAD_EVERY === 0);
  }

  #forget(node: string): void {
    this.#nodes.delete(node);
    this.#wants.forget(node);
    this.#channel.forget(node);
    this.#ports.fleet.forget(node);
  }

  /** @returns whether one of the sessions is another node's by now. */
  async #loseSome(changes: readonly StoreChange[]): Promise<boolean> {
    const { log, nodeId, sessions } = this.#ports;
    let lost = false;
    for (const key of new Set(changes.map(keyOf))) {
      const epoch = key === undefined ? undefined : this.#holdings.epochOf(key);
      if (key === undefined || epoch === undefined) continue;
      const lease = await sessions.lease(key);
      if (lease?.epoch === epoch && lease.nodeId === nodeId) continue;
      log.info('a late write was refused: another node has the session', { session: key, code: 'store.conflict' });
      this.#catchUp.lose(key, lease?.nodeId ?? '');
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
    if (this.#holdings.epochOf(key) === epoch) this.#holdings.forget(key);
  }
}

function isConflict(error: unknown): boolean {
  return HoldfastError.is(error) && error.code === 'store.conflict';
}
