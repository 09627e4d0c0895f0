import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HoldfastError } from '@holdfast/kernel';
import type { Command } from 'commander';
import { ProgressLine } from '../demo/progress.ts';
import { renderHeading, renderOutcome, renderSummary } from '../demo/render.ts';
import { type DemoWatcher, runDemo } from '../demo/run-demo.ts';
import type { Stage } from '../demo/stage.ts';
import { AnswerIsNo } from '../output/failure.ts';
import type { CommandIo } from '../output/io.ts';
import { formatJson } from '../output/table.ts';
import { stopSignal, untilAborted } from './stop-signal.ts';

interface DemoOptions {
  readonly json?: true;
  readonly keep?: true;
  readonly data?: string;
}

export function registerDemo(noun: Command, io: CommandIo): void {
  noun
    .option('--json', 'one JSON document')
    .option('--keep', 'leave the server and its devices running until Ctrl-C')
    .option('--data <folder>', 'a new folder to play in and to keep (default: a temporary one, removed at the end)')
    .action((options: DemoOptions) => demo(options, io));
}

async function demo(options: DemoOptions, io: CommandIo): Promise<void> {
  const signal = stopSignal();
  const ending = new AbortController();
  // While a server does not come up, nothing but timers waits, and those let a process end.
  void untilAborted(ending.signal);
  try {
    await playIn(openFolder(options.data), options, signal, io);
  } finally {
    ending.abort();
  }
}

async function playIn(folder: Folder, options: DemoOptions, signal: AbortSignal, io: CommandIo): Promise<void> {
  try {
    const { report, stage } = await runDemo(folder.data, signal, options.json === true ? SILENT : watcher(io));
    try {
      io.out(options.json === true ? formatJson(report) : renderSummary(report, io));
      if (options.keep === true) await keep(stage, signal, io);
    } finally {
      await stage.close();
    }
    if (!report.held) throw new AnswerIsNo();
  } finally {
    folder.close();
  }
}

const SILENT: DemoWatcher = { chapter: () => undefined, begins: () => undefined, ended: () => undefined };

function watcher(io: CommandIo): DemoWatcher {
  const progress = new ProgressLine(io);
  return {
    chapter: (title) => io.out(renderHeading(title, io)),
    begins: ({ title }) => progress.show(title),
    ended: (number, outcome) => {
      progress.clear();
      io.out(renderOutcome(number, outcome, io));
    },
  };
}

async function keep({ client, server }: Stage, signal: AbortSignal, io: CommandIo): Promise<void> {
  const { url } = await client.call('console.link', {});
  // The link opens the console: it goes to a person at a terminal only.
  const link = io.errIsTerminal ? url : 'holdfast console link prints a one-time address';
  io.err(
    `\n  console      ${link}\n  data         ${server.dataFolder}\n\n  Ctrl-C stops the server and its devices.\n`,
  );
  await untilAborted(signal);
}

interface Folder {
  readonly data: string;
  readonly close: () => void;
}

/** @throws `cli.folder_not_empty` */
function openFolder(given: string | undefined): Folder {
  if (given !== undefined) {
    if (isOccupied(given)) throw new HoldfastError('cli.folder_not_empty', { path: given });
    return { data: path.resolve(given), close: () => undefined };
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-demo-'));
  return { data: path.join(folder, 'data'), close: () => rmSync(folder, { recursive: true, force: true }) };
}

function isOccupied(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}
