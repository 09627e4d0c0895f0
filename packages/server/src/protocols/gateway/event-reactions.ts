import { type Clock, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import type { EventName, Events, StoredEvent, Subscription } from '@holdfast/trust/ports';
import type { CutReason, CutTarget, Session, SessionTable } from './session-table.ts';

/** What happens to sessions on an event: ended, or their rights asked for anew. */
type Reaction =
  | { readonly kind: 'cut'; readonly target: (event: StoredEvent) => CutTarget; readonly reason: CutReason }
  | { readonly kind: 'refresh'; readonly concerns: (event: StoredEvent, session: Session) => boolean };

const device = (event: StoredEvent): CutTarget => ({ kind: 'device', tenant: event.tenant, deviceId: event.subject });
const certificate = (event: StoredEvent): CutTarget => ({ kind: 'certificate', fingerprint: event.subject });
const claim = (event: StoredEvent): CutTarget => ({ kind: 'claim', tenant: event.tenant, claimId: event.subject });
const sameTenant = (event: StoredEvent, { peer }: Session): boolean => peer?.principal.tenant === event.tenant;
const sameDevice = (event: StoredEvent, session: Session): boolean =>
  sameTenant(event, session) && session.peer?.kind === 'device' && session.peer.principal.deviceId === event.subject;
const sameProduct = (event: StoredEvent, session: Session): boolean =>
  sameTenant(event, session) && session.peer?.kind === 'device' && session.peer.device.product === event.subject;

/** A document concerns those who have it; an attachment its device, or, since groups are not known here, everybody. */
function samePolicy(event: StoredEvent, session: Session): boolean {
  const { targetId, targetKind } = event.data;
  if (!sameTenant(event, session) || session.peer?.kind !== 'device') return false;
  if (targetKind === 'device') return session.peer.principal.deviceId === targetId;
  return targetKind === 'group' || (session.policies?.includes(event.subject) ?? true);
}

/** Every event that touches live connections. */
export const REACTIONS: Readonly<Partial<Record<EventName, Reaction>>> = {
  'device.revoked': { kind: 'cut', target: device, reason: 'device-revoked' },
  'device.suspended': { kind: 'cut', target: device, reason: 'device-suspended' },
  'device.quarantined': { kind: 'cut', target: device, reason: 'device-quarantined' },
  'certificate.revoked': { kind: 'cut', target: certificate, reason: 'certificate-revoked' },
  'certificate.superseded': { kind: 'cut', target: certificate, reason: 'certificate-superseded' },
  'claim.revoked': { kind: 'cut', target: claim, reason: 'claim-revoked' },
  'posture.changed': { kind: 'refresh', concerns: sameDevice },
  'policy.changed': { kind: 'refresh', concerns: samePolicy },
  'product.changed': { kind: 'refresh', concerns: sameProduct },
};

export interface EventReactionsPorts {
  readonly events: Events;
  readonly sessions: SessionTable;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of every cut, for what has no connection: stored sessions, queues, retained messages. */
  readonly onCut?: (cut: {
    readonly event: StoredEvent;
    readonly target: CutTarget;
    readonly reason: CutReason;
  }) => void;
}

/** How often the outbox is read although nobody called: a lost wake-up costs no more than this. */
const RECONCILE_MS = 2_000;
const PAGE = 500;

/**
 * Keeps live sessions in step with what was committed. Events may come twice; cutting and refreshing do not mind.
 *
 * Reading starts at the newest event: a session older than this process does not exist.
 */
export class EventReactions {
  readonly #ports: EventReactionsPorts;
  #subscription: Subscription | undefined;
  #timer: Timer | undefined;
  #position: number;
  #reading: Promise<void> | undefined;

  constructor(ports: EventReactionsPorts) {
    this.#ports = ports;
    this.#position = ports.events.latest();
  }

  start(): void {
    const { clock, events } = this.#ports;
    this.#position = events.latest();
    this.#subscription = events.subscribe('gateway', (event) => this.#react(event));
    this.#timer = clock.every(RECONCILE_MS, () => void this.reconcile());
  }

  close(): void {
    this.#subscription?.close();
    this.#timer?.cancel();
  }

  /** Reads whatever is newer than the last event seen. */
  reconcile(): Promise<void> {
    this.#reading ??= this.#catchUp().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #catchUp(): Promise<void> {
    const { events, log } = this.#ports;
    try {
      for (;;) {
        const missed = await events.since(this.#position, PAGE);
        for (const event of missed) this.#react(event);
        if (missed.length < PAGE) return;
      }
    } catch (error) {
      log.warn('the gateway could not read new events', { code: toHoldfastError(error).code });
    }
  }

  #react(event: StoredEvent): void {
    const { onCut, sessions } = this.#ports;
    this.#position = Math.max(this.#position, event.sequence);
    const reaction = REACTIONS[event.name];
    if (reaction === undefined) return;
    if (reaction.kind === 'cut') {
      const target = reaction.target(event);
      sessions.cut(target, reaction.reason);
      onCut?.({ event, target, reason: reaction.reason });
      return;
    }
    for (const session of sessions.live()) if (reaction.concerns(event, session)) session.refresh?.();
  }
}
