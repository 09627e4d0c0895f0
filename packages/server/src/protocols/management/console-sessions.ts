import { createHash } from 'node:crypto';
import { type Clock, encodeBase64Url, type EpochMs, HoldfastError, type Random } from '@holdfast/kernel';

const LINK_LIFE_MS = 10 * 60_000;
const SESSION_LIFE_MS = 12 * 3_600_000;
const SESSION_IDLE_MS = 3_600_000;
const MAX_LINKS = 64;
const MAX_SESSIONS = 256;

interface Session {
  readonly openedAt: EpochMs;
  lastSeenAt: EpochMs;
}

/**
 * One-time links and the cookies they are traded for. Both are kept as hashes, in memory: a restart ends them all.
 *
 * A link works once within ten minutes; a session ends after an hour without a request and after twelve at most.
 */
export class ConsoleSessions {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #links = new Map<string, EpochMs>();
  readonly #sessions = new Map<string, Session>();

  constructor(ports: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = ports.clock;
    this.#random = ports.random;
  }

  mintLink(): { readonly token: string; readonly expiresAt: EpochMs } {
    const token = this.#secret();
    const expiresAt = this.#clock.now() + LINK_LIFE_MS;
    dropOldest(this.#links, MAX_LINKS);
    this.#links.set(digest(token), expiresAt);
    return { token, expiresAt };
  }

  /**
   * Trades a link's token for a session secret.
   *
   * @throws `request.unauthenticated` for an unknown, used or expired token
   */
  open(token: string): string {
    const key = digest(token);
    const expiresAt = this.#links.get(key);
    this.#links.delete(key); // Single use: the second to come with it is the thief or the victim, and neither gets in.
    const now = this.#clock.now();
    if (expiresAt === undefined || now >= expiresAt) throw new HoldfastError('request.unauthenticated');
    const secret = this.#secret();
    dropOldest(this.#sessions, MAX_SESSIONS);
    this.#sessions.set(digest(secret), { openedAt: now, lastSeenAt: now });
    return secret;
  }

  /** Whether the secret is that of a live session; counts as activity. */
  touch(secret: string): boolean {
    const session = this.#live(secret);
    if (session === undefined) return false;
    session.lastSeenAt = this.#clock.now();
    return true;
  }

  /** Whether the secret is that of a live session; does not count as activity. */
  isLive(secret: string): boolean {
    return this.#live(secret) !== undefined;
  }

  close(secret: string): void {
    this.#sessions.delete(digest(secret));
  }

  #live(secret: string): Session | undefined {
    const key = digest(secret);
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    const now = this.#clock.now();
    if (now - session.lastSeenAt < SESSION_IDLE_MS && now - session.openedAt < SESSION_LIFE_MS) return session;
    this.#sessions.delete(key);
    return undefined;
  }

  #secret(): string {
    return encodeBase64Url(this.#random.bytes(32));
  }
}

function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function dropOldest<Value>(map: Map<string, Value>, limit: number): void {
  for (const key of map.keys()) {
    if (map.size < limit) return;
    map.delete(key);
  }
}
