import { type DeadLetter, ReplaySink, type Sink } from '@holdfast/api';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts, formatTable } from '../output/table.ts';
import { addVerb, bodyOf, PAGING, pageQuery, pick, printPage, wholeNumber } from './verb.ts';

const SINK_COLUMNS: readonly Column<Sink>[] = [
  { title: 'SINK', value: (row) => row.name },
  { title: 'KIND', value: (row) => row.kind },
  { title: 'BEHIND', value: (row) => row.behind },
  { title: 'DELIVERED', value: (row) => row.delivered },
  { title: 'DEAD', value: (row) => row.deadLetters },
  { title: 'STATE', value: ({ failing }) => (failing === undefined ? 'ok' : failing.reason) },
];

const LETTER_COLUMNS: readonly Column<DeadLetter>[] = [
  { title: 'MESSAGE', value: (row) => row.id },
  { title: 'DEVICE', value: (row) => row.device },
  { title: 'TOPIC', value: (row) => row.topic },
  { title: 'SENT', value: (row) => row.sentAt },
  { title: 'ATTEMPTS', value: (row) => row.attempts },
  { title: 'REASON', value: (row) => row.reason },
];

function printSink(sink: Sink, io: CommandIo): string {
  const { failing, filters } = sink;
  return formatFacts(
    [
      ['sink', sink.name],
      ['kind', sink.kind],
      ['filters', filters.join(' ')],
      ['position', sink.position],
      ['behind', sink.behind],
      ['delivered', sink.delivered],
      ['dead letters', sink.deadLetters],
      ['skipped', sink.skipped],
      ['last delivered', sink.lastDeliveredAt],
      [
        'state',
        failing === undefined ? 'ok' : `${failing.reason} since ${failing.since}, ${failing.attempts} attempts`,
      ],
    ],
    io,
  );
}

export function registerSinks(noun: Command, io: CommandIo): void {
  const one = ([sink = '']: readonly string[]) => ({ sink });
  addVerb(noun, io, {
    name: 'list',
    words: 'where messages of devices go',
    operation: 'sinks.list',
    input: () => ({}),
    print: ({ rows, spool }) => {
      if (spool !== undefined) {
        io.err(
          `spool: ${spool.bytes} of ${spool.maxBytes} bytes, ${spool.waiting} waiting, ${spool.dropped} dropped\n`,
        );
      }
      return formatTable(rows, SINK_COLUMNS, io);
    },
  });
  addVerb(noun, io, {
    name: 'status',
    words: 'how far a sink has come, and what keeps it',
    operation: 'sinks.show',
    operands: ['<sink>'],
    input: one,
    print: printSink,
  });
  addVerb(noun, io, {
    name: 'replay',
    words: 'deliver again from an offset or a time; messages keep their ids',
    operation: 'sinks.replay',
    operands: ['<sink>'],
    options: [
      { flags: '--offset <number>', words: 'first message', parse: wholeNumber },
      { flags: '--since <time>', words: 'first message from this time on, as 2026-01-31T12:00:00Z' },
    ],
    input: ([sink = ''], options) => ({
      sink,
      body: bodyOf(ReplaySink, pick(options, { offset: 'offset', since: 'since' })),
    }),
    print: printSink,
  });
  addVerb(noun, io, {
    name: 'dead-letters',
    words: 'messages a sink did not take',
    operation: 'sinks.dead-letters',
    operands: ['<sink>'],
    options: PAGING,
    input: ([sink = ''], options) => ({ sink, query: pageQuery(options) }),
    print: (page) => printPage(page, LETTER_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'retry',
    words: 'send the dead letters of a sink once more',
    operation: 'sinks.retry',
    operands: ['<sink>'],
    input: one,
    print: ({ delivered, left }) =>
      formatFacts(
        [
          ['delivered', delivered],
          ['left', left],
        ],
        io,
      ),
  });
  addVerb(noun, io, {
    name: 'discard',
    words: 'forget the dead letters of a sink',
    operation: 'sinks.discard',
    operands: ['<sink>'],
    input: one,
    print: ({ discarded }) => formatFacts([['discarded', discarded]], io),
  });
}
