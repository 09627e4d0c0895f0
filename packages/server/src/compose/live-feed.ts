import type { LiveEvent } from '@holdfast/api';
import { type Clock, formatRfc3339 } from '@holdfast/kernel';
import type { Events, StoredEvent, Tenant } from '@holdfast/trust/ports';
import type { PresenceBoard } from '../protocols/gateway/index.ts';
import type { LiveFeed } from '../protocols/management/index.ts';

export interface LiveFeedPorts {
  readonly events: Events;
  readonly presence: PresenceBoard;
  readonly clock: Clock;
  readonly tenant: Tenant;
}

/**
 * What happens, as the console hears it: the outbox, which can be resumed by sequence, and presence, which cannot and
 * carries the sequence of the last event before it.
 */
export function createLiveFeed({ events, presence, clock, tenant }: LiveFeedPorts): LiveFeed & { close(): void } {
  const listeners = new Set<(event: LiveEvent) => void>();
  const tell = (event: LiveEvent) => {
    for (const listener of listeners) listener(event);
  };
  const outbox = events.subscribe('console', (event) => {
    if (event.tenant === tenant) tell(viewEvent(event));
  });
  const board = presence.onChange(({ kind, presence: { tenant: owner, deviceId, protocol } }) => {
    if (owner !== tenant || listeners.size === 0) return;
    const at = formatRfc3339(clock.now());
    tell({ id: `${events.latest()}`, name: `presence.${kind}`, subject: deviceId, at, data: { protocol } });
  });
  return {
    async since(id, limit) {
      if (!/^\d{1,15}$/.test(id)) return undefined;
      const missed = await events.since(Number(id), limit);
      const isWhole = missed.length < limit && (missed[0] === undefined || missed[0].sequence === Number(id) + 1);
      return isWhole ? missed.filter((event) => event.tenant === tenant).map(viewEvent) : undefined;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      outbox.close();
      board.close();
      listeners.clear();
    },
  };
}

function viewEvent({ sequence, name, subject, at, data }: StoredEvent): LiveEvent {
  return { id: `${sequence}`, name, subject, at: formatRfc3339(at), data: { ...data } };
}
