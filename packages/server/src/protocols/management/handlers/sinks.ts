import type { DeadLetter as DeadLetterView, Sink, Spool } from '@holdfast/api';
import { type EpochMs, formatRfc3339, HoldfastError } from '@holdfast/kernel';
import type { AuditLog, Store, Page, PageRequest } from '@holdfast/trust/ports';
import { actorOf, type OperatorPrincipal } from '@holdfast/trust/principal';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';

interface SinkState {
  readonly name: string;
  readonly kind: Sink['kind'];
  readonly filters: readonly string[];
  readonly position: number;
  readonly behind: number;
  readonly delivered: number;
  readonly buried: number;
  readonly skipped: number;
  readonly deadLetters: number;
  readonly lastDeliveredAt: EpochMs | undefined;
  readonly failing: { readonly since: EpochMs; readonly reason: string; readonly attempts: number } | undefined;
}

interface DeadLetter {
  readonly id: string;
  readonly deviceId: string | undefined;
  readonly topic: string;
  readonly bytes: number;
  readonly attempts: number;
  readonly reason: string;
  readonly sentAt: EpochMs;
  readonly diedAt: EpochMs;
}

/** The sinks of this process; each of these throws `communication.sink_unknown` where it names one. */
interface SinkOperations {
  list(): Promise<readonly SinkState[]>;
  show(name: string): Promise<SinkState>;
  spool(): Readonly<Spool>;
  replay(name: string, from: { readonly offset: number } | { readonly since: EpochMs }): Promise<SinkState>;
  deadLetters(name: string, page: PageRequest): Promise<Page<DeadLetter>>;
  retry(name: string): Promise<{ readonly delivered: number; readonly left: number }>;
  discard(name: string): Promise<{ readonly discarded: number }>;
}

export interface SinkHandlerPorts {
  /** Undefined when none is configured. */
  readonly sinks: SinkOperations | undefined;
  readonly auditing: { readonly store: Store; readonly log: AuditLog };
}

type SinkOperation =
  | 'sinks.list'
  | 'sinks.show'
  | 'sinks.replay'
  | 'sinks.dead-letters'
  | 'sinks.retry'
  | 'sinks.discard';

export function sinkHandlers({ auditing, sinks }: SinkHandlerPorts): Pick<ManagementHandlers, SinkOperation> {
  const all = (): SinkOperations => {
    if (sinks === undefined) throw new HoldfastError('communication.sink_unknown');
    return sinks;
  };
  const note = (by: OperatorPrincipal, action: string, sink: string, details: Readonly<Record<string, number>>) => {
    const fact = { tenant: by.tenant, actor: actorOf(by), action, subject: sink, details };
    return auditing.store.commit([auditing.log.entry(fact)]);
  };
  return {
    'sinks.list': async () => ({
      rows: ((await sinks?.list()) ?? []).map(viewSink),
      ...(sinks === undefined ? {} : { spool: sinks.spool() }),
    }),
    'sinks.show': async ({ sink }) => viewSink(await all().show(sink)),
    'sinks.replay': async ({ sink, body }, { principal }) => {
      const from = 'offset' in body ? body : { since: Date.parse(body.since) };
      const state = await all().replay(sink, from);
      await note(principal, 'sink.replayed', sink, { offset: state.position });
      return viewSink(state);
    },
    'sinks.dead-letters': async ({ sink, query }) => {
      const page = await all().deadLetters(sink, query);
      return pageOf(page.rows.map(viewLetter), page.next);
    },
    'sinks.retry': async ({ sink }, { principal }) => {
      const done = await all().retry(sink);
      await note(principal, 'sink.retried', sink, done);
      return { ...done };
    },
    'sinks.discard': async ({ sink }, { principal }) => {
      const done = await all().discard(sink);
      await note(principal, 'sink.discarded', sink, done);
      return { ...done };
    },
  };
}

function viewSink({ failing, filters, lastDeliveredAt, ...rest }: SinkState): Sink {
  return {
    ...rest,
    filters: [...filters],
    ...(lastDeliveredAt === undefined ? {} : { lastDeliveredAt: formatRfc3339(lastDeliveredAt) }),
    ...(failing === undefined ? {} : { failing: { ...failing, since: formatRfc3339(failing.since) } }),
  };
}

function viewLetter({ deviceId, diedAt, sentAt, ...rest }: DeadLetter): DeadLetterView {
  return {
    ...rest,
    ...(deviceId === undefined ? {} : { device: deviceId }),
    sentAt: formatRfc3339(sentAt),
    diedAt: formatRfc3339(diedAt),
  };
}
