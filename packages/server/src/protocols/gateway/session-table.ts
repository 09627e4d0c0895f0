import type { Clock, EpochMs, Timer } from '@holdfast/kernel';
import type { AdmittedPeer } from '@holdfast/trust/communication';
import type { PresentedChain } from '@holdfast/trust/identity';
import type { DeviceId, Fingerprint, Tenant } from '@holdfast/trust/ports';

/** Why a connection is ended from this side. */
export type CutReason =
  | 'device-revoked'
  | 'device-suspended'
  | 'device-quarantined'
  | 'certificate-revoked'
  | 'certificate-superseded'
  | 'certificate-expired'
  | 'claim-revoked'
  | 'claim-expired'
  | 'rights-lost'
  | 'listener-closed';

/** Whose connections to end. */
export type CutTarget =
  | { readonly kind: 'device'; readonly tenant: Tenant; readonly deviceId: DeviceId }
  | { readonly kind: 'claim'; readonly tenant: Tenant; readonly claimId: string }
  | { readonly kind: 'certificate'; readonly fingerprint: Fingerprint };

export interface CutResult {
  readonly sessions: number;
  /** Until the last socket was told to close. */
  readonly ms: number;
}

/** A transport connection as its listener announces it, before anything is known of the peer but its certificate. */
export interface Connection {
  readonly id: string;
  readonly protocol: 'mqtt' | 'https';
  readonly fingerprint: Fingerprint;
  readonly remoteAddress: string;
  /** The certificates it showed, where one that is unknown may be registered. */
  readonly presented?: () => PresentedChain | undefined;
  /** Closes the transport with the protocol's own words; called once. */
  readonly end: (reason: CutReason) => void;
}

type SessionState = 'identifying' | 'live' | 'ended';

/** One registered connection. */
export interface Session {
  readonly connection: Connection;
  readonly connectedAt: EpochMs;
  readonly state: SessionState;
  /** Set while live, kept afterwards. */
  readonly peer: AdmittedPeer | undefined;
  /** Why it was ended from this side. */
  readonly cutFor: CutReason | undefined;
  /** Aborted when the session ends, whoever ended it. */
  readonly signal: AbortSignal;
  /** What to do when the peer's rights may have changed. */
  refresh: (() => void) | undefined;
  /** Names of the policies its rights were made from; undefined until they are known, when every policy may be one. */
  policies: readonly string[] | undefined;
}

class Entry implements Session {
  readonly connection: Connection;
  readonly connectedAt: EpochMs;
  state: SessionState = 'identifying';
  peer: AdmittedPeer | undefined;
  cutFor: CutReason | undefined;
  refresh: (() => void) | undefined;
  policies: readonly string[] | undefined;
  /** Cuts that came while the registry was being read: its answer may be older than they are. */
  readonly missed: { readonly key: string; readonly reason: CutReason }[] = [];
  #abort: AbortController | undefined;

  constructor(connection: Connection, connectedAt: EpochMs) {
    this.connection = connection;
    this.connectedAt = connectedAt;
  }

  /** Made when first asked for: MQTT connections never do, and aborting costs an exception with its stack. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.state === 'ended') this.#abort.abort();
    }
    return this.#abort.signal;
  }

  /** To be called once the state says so. */
  ended(): void {
    this.#abort?.abort();
  }
}

export type SessionListener = (session: Session, change: 'live' | 'ended') => void;

/** How often sessions are compared with the wall clock, so that a clock set forward ends them too. */
const EXPIRY_SWEEP_MS = 1_000;

/**
 * Every connection of this process, from its handshake on.
 *
 * A connection is registered first and identified second: a revocation that commits in between finds it here.
 */
export class SessionTable {
  readonly #clock: Clock;
  readonly #sweep: Timer;
  readonly #entries = new Map<string, Entry>();
  readonly #identifying = new Set<Entry>();
  readonly #byKey = new Map<string, Set<Entry>>();
  readonly #listeners = new Set<SessionListener>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sweep = clock.every(EXPIRY_SWEEP_MS, () => this.#endExpired());
  }

  get size(): number {
    return this.#entries.size;
  }

  register(connection: Connection): Session {
    const entry = new Entry(connection, this.#clock.now());
    this.#entries.set(connection.id, entry);
    this.#identifying.add(entry);
    this.#index(certificateKey(connection.fingerprint), entry);
    return entry;
  }

  /**
   * Makes a session live as `peer`.
   *
   * @returns false when the session ended meanwhile, or a cut of this very peer overtook the reading of its status.
   */
  admit(session: Session, peer: AdmittedPeer): boolean {
    const entry = this.#entries.get(session.connection.id);
    if (entry === undefined || entry !== session || entry.state !== 'identifying') return false;
    const key = peerKey(peer);
    const missed = entry.missed.find((cut) => cut.key === key);
    entry.peer = peer;
    if (missed !== undefined) {
      this.#end(entry, missed.reason);
      return false;
    }
    entry.state = 'live';
    this.#identifying.delete(entry);
    this.#index(key, entry);
    for (const listener of this.#listeners) listener(entry, 'live');
    return true;
  }

  /** Replaces what is known of a live session's peer. */
  update(session: Session, peer: AdmittedPeer): void {
    const entry = this.#entries.get(session.connection.id);
    if (entry === session && entry.peer !== undefined && peerKey(entry.peer) === peerKey(peer)) entry.peer = peer;
  }

  /** The transport is gone. */
  closed(session: Session): void {
    const entry = this.#entries.get(session.connection.id);
    if (entry === session) this.#forget(entry);
  }

  /** Ends one session from this side; no effect on an ended one. */
  end(session: Session, reason: CutReason): void {
    const entry = this.#entries.get(session.connection.id);
    if (entry === session) this.#end(entry, reason);
  }

  /** Ends every session of the target, now. Asking again ends what came since, and nothing twice. */
  cut(target: CutTarget, reason: CutReason): CutResult {
    const started = this.#clock.monotonicMs();
    const key = targetKey(target);
    const found = [...(this.#byKey.get(key) ?? [])];
    for (const entry of found) this.#end(entry, reason);
    for (const entry of this.#identifying) entry.missed.push({ key, reason });
    return { sessions: found.length, ms: this.#clock.monotonicMs() - started };
  }

  /** Live sessions of a device. */
  ofDevice(tenant: Tenant, deviceId: DeviceId): readonly Session[] {
    return [...(this.#byKey.get(targetKey({ kind: 'device', tenant, deviceId })) ?? [])];
  }

  /** Live sessions, of one tenant or of all. */
  live(tenant?: Tenant): readonly Session[] {
    const live = [...this.#entries.values()].filter(({ state }) => state === 'live');
    return tenant === undefined ? live : live.filter(({ peer }) => peer?.principal.tenant === tenant);
  }

  onChange(listener: SessionListener): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }

  close(): void {
    this.#sweep.cancel();
    for (const entry of this.#entries.values()) this.#end(entry, 'listener-closed');
  }

  #endExpired(): void {
    const now = this.#clock.now();
    for (const entry of this.#entries.values()) {
      if (entry.peer === undefined) continue;
      if (entry.peer.certificate.notAfter < now) this.#end(entry, 'certificate-expired');
      else if (entry.peer.kind === 'claim' && entry.peer.claim.expiresAt <= now) this.#end(entry, 'claim-expired');
    }
  }

  #end(entry: Entry, reason: CutReason): void {
    if (entry.state === 'ended') return;
    entry.cutFor = reason;
    this.#forget(entry);
    entry.connection.end(reason);
  }

  #forget(entry: Entry): void {
    if (entry.state === 'ended') return;
    const wasLive = entry.state === 'live';
    entry.state = 'ended';
    this.#entries.delete(entry.connection.id);
    this.#identifying.delete(entry);
    this.#unindex(certificateKey(entry.connection.fingerprint), entry);
    if (entry.peer !== undefined) this.#unindex(peerKey(entry.peer), entry);
    entry.ended();
    if (wasLive) for (const listener of this.#listeners) listener(entry, 'ended');
  }

  #index(key: string, entry: Entry): void {
    const entries = this.#byKey.get(key);
    if (entries === undefined) this.#byKey.set(key, new Set([entry]));
    else entries.add(entry);
  }

  #unindex(key: string, entry: Entry): void {
    const entries = this.#byKey.get(key);
    entries?.delete(entry);
    if (entries?.size === 0) this.#byKey.delete(key);
  }
}

function peerKey(peer: AdmittedPeer): string {
  const { principal } = peer;
  return principal.kind === 'device'
    ? targetKey({ kind: 'device', tenant: principal.tenant, deviceId: principal.deviceId })
    : targetKey({ kind: 'claim', tenant: principal.tenant, claimId: principal.claimId });
}

function targetKey(target: CutTarget): string {
  if (target.kind === 'certificate') return certificateKey(target.fingerprint);
  return JSON.stringify([target.kind, target.tenant, target.kind === 'device' ? target.deviceId : target.claimId]);
}

const certificateKey = (fingerprint: Fingerprint): string => `certificate ${fingerprint}`;
