import type { LiveEvent } from '@holdfast/api';
import type { Clock } from '@holdfast/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What the live stream is fed from: the past behind an id, then the present. */
export interface LiveFeed {
  /** Events behind `id`, oldest first, at most `limit`; undefined when the past is no longer kept. */
  since(id: string, limit: number): Promise<readonly LiveEvent[] | undefined>;
  /** Calls `listener` for every event from now on, in order; the answer ends it. */
  subscribe(listener: (event: LiveEvent) => void): () => void;
}

export interface EventStreamPorts {
  readonly feed: LiveFeed;
  readonly clock: Clock;
  /** Asked with every event and heartbeat; false ends the stream. */
  readonly mayGoOn: () => boolean;
}

const HEARTBEAT_MS = 15_000;
const REPLAY_LIMIT = 1000;
const MAX_BUFFERED_BYTES = 1_048_576;

/**
 * Server-sent events (WHATWG HTML 9.2) with resume: a client that comes back with Last-Event-ID gets what it missed,
 * or `reset` when that is no longer kept and it must read the state anew.
 *
 * A reader that does not read is dropped once a megabyte waits for it; one whose session has ended, with the next event
 * or heartbeat.
 */
export async function streamEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  { feed, clock, mayGoOn }: EventStreamPorts,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  const waiting: LiveEvent[] = [];
  let replaying = true;
  const send = (text: string) => {
    if (raw.writableLength > MAX_BUFFERED_BYTES || !mayGoOn()) raw.destroy();
    else raw.write(text);
  };
  const unsubscribe = feed.subscribe((event) => (replaying ? waiting.push(event) : send(format(event))));
  const heartbeat = clock.every(HEARTBEAT_MS, () => send(':\n\n'));
  raw.on('close', () => {
    unsubscribe();
    heartbeat.cancel();
  });
  send('retry: 1000\n\n');
  const lastId = request.headers['last-event-id'];
  const missed = typeof lastId === 'string' ? await feed.since(lastId, REPLAY_LIMIT) : [];
  if (missed === undefined) send('event: reset\ndata: {}\n\n');
  for (const event of missed ?? []) send(format(event));
  replaying = false;
  const seen = new Set((missed ?? []).map(({ id }) => id));
  for (const event of waiting) if (!seen.has(event.id)) send(format(event));
}

function format(event: LiveEvent): string {
  return `id: ${event.id}\nevent: ${event.name}\ndata: ${JSON.stringify(event)}\n\n`;
}
