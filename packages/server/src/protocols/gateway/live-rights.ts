import { type Clock, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import type {
  AdmittedPeer,
  ConnectionFacts,
  ConnectWish,
  PolicyAuthority,
  Rights,
} from '@holdfast/trust/communication';
import type { PeerAdmission } from './peer-admission.ts';
import type { Session, SessionTable } from './session-table.ts';

export interface LiveRightsPorts {
  readonly admission: PeerAdmission;
  readonly authority: Pick<PolicyAuthority, 'rightsOf'>;
  readonly sessions: SessionTable;
  readonly refreshes: RefreshQueue;
  readonly clock: Clock;
  readonly log: Log;
}

const RETRY_MS = 1_000;
/** Rights are read again after this time even when nobody said that anything changed, such as a device's groups. */
export const LONGEST_TRUST_MS = 60_000;

/** The rights of one MQTT session, replaced when something changes; the session ends when it could no longer connect. */
export class LiveRights {
  readonly #ports: LiveRightsPorts;
  readonly #session: Session;
  /** What the client asked for when it connected. */
  readonly wish: ConnectWish;
  readonly #connection: ConnectionFacts;
  #current: Rights;
  #stale = false;
  #next: Timer | undefined;

  /** Reads the rights of a session; a change announced meanwhile is read before anybody relies on them. */
  static async open(
    ports: LiveRightsPorts,
    held: { readonly session: Session; readonly connection: ConnectionFacts; readonly wish: ConnectWish },
    peer: AdmittedPeer,
  ): Promise<LiveRights> {
    let isOld = false;
    held.session.refresh = () => {
      isOld = true;
    };
    const live = new LiveRights(ports, held, await ports.authority.rightsOf(peer, held.connection));
    if (isOld) await live.renew();
    return live;
  }

  constructor(
    ports: LiveRightsPorts,
    held: { readonly session: Session; readonly connection: ConnectionFacts; readonly wish: ConnectWish },
    rights: Rights,
  ) {
    this.#ports = ports;
    this.#session = held.session;
    this.#connection = held.connection;
    this.wish = held.wish;
    this.#current = rights;
    this.#session.policies = rights.policies;
    this.#session.refresh = () => this.#refresh();
    this.#schedule();
  }

  get current(): Rights {
    return this.#current;
  }

  /** Reads the rights again now, for who must not act on old ones. */
  renew(): Promise<void> {
    return this.#renew();
  }

  #schedule(): void {
    this.#next?.cancel();
    if (this.#session.state === 'live') {
      this.#next = this.#ports.clock.after(LONGEST_TRUST_MS, () => this.#refresh());
    }
  }

  #refresh(): void {
    if (this.#stale) return;
    this.#stale = true;
    this.#ports.refreshes.add(() => this.#renew());
  }

  async #renew(): Promise<void> {
    // Cleared before reading: a change that commits from here on asks again.
    this.#stale = false;
    const { admission, authority, clock, log, sessions } = this.#ports;
    const outcome = await admission.recheck(this.#session);
    if (outcome.kind === 'refused') {
      // What could not be read leaves a live session as it was; the store says when it is back.
      if (this.#session.state === 'live') clock.after(RETRY_MS, () => this.#refresh());
      else this.#next?.cancel();
      return;
    }
    try {
      const rights = await authority.rightsOf(outcome.peer, this.#connection);
      this.#current = rights;
      this.#session.policies = rights.policies;
      if (rights.connect(this.wish).kind === 'deny') sessions.end(this.#session, 'rights-lost');
      else this.#schedule();
    } catch (error) {
      log.warn('the rights of a session could not be read', { code: toHoldfastError(error).code });
      clock.after(RETRY_MS, () => this.#refresh());
    }
  }
}

/** Refreshes between two turns of the event loop: messages of ten thousand sessions must not wait for all of them. */
const PER_TURN = 64;

/** Runs refreshes in turn, so that a change for a whole fleet does not stop the fleet's traffic. */
export class RefreshQueue {
  readonly #clock: Clock;
  readonly #waiting: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(refresh: () => Promise<void>): void {
    this.#waiting.push(refresh);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when nothing waits. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // One turn later, so that what is asked for twice in this one is read once.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await Promise.all(this.#waiting.splice(0, PER_TURN).map((refresh) => refresh()));
      if (this.#waiting.length > 0) await new Promise<void>((resolve) => this.#clock.after(0, resolve));
    }
  }
}
