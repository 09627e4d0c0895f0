import type { CommandIo } from '../output/io.ts';
import { type Outcome, SEPARATOR } from './trial.ts';

/** What a demo found; `--json` prints it as it is. */
export interface DemoReport {
  /** Every step of the story and every attack ended as it has to. */
  readonly held: boolean;
  readonly firmware: { readonly older: string; readonly newer: string };
  readonly story: readonly Outcome[];
  readonly attacks: readonly Outcome[];
  readonly totalMs: number;
}

type Look = Pick<CommandIo, 'outIsTerminal' | 'colour'>;

const INDENT = ' '.repeat(7);
const WIDTH = 92;
// What a server or a device answered could otherwise rewrite the terminal.
const CONTROL = /\p{Cc}/gu;

/** One outcome: tick or cross, title, time, and what was seen below; one tab-separated line without a terminal. */
export function renderOutcome(number: number, outcome: Outcome, look: Look): string {
  const { name, title, expected, held, ms } = outcome;
  const seen = outcome.seen.replace(CONTROL, '\u{fffd}');
  if (!look.outIsTerminal) return `${[held ? 'ok' : 'FAILED', number, name, `${ms} ms`, seen].join('\t')}\n`;
  const mark = held ? paint('✓', 32, look) : paint('✗', 31, look);
  const time = paint(`${ms} ms`.padStart(9), 2, look);
  const lines = [`  ${mark} ${String(number).padStart(2)}  ${title.padEnd(WIDTH - 9)}${time}`];
  lines.push(...pack(seen.split(SEPARATOR)).map((line) => INDENT + paint(line, 2, look)));
  if (!held) lines.push(...pack([`expected: ${expected}`]).map((line) => INDENT + paint(line, 31, look)));
  return `${lines.join('\n')}\n`;
}

export function renderHeading(text: string, look: Look): string {
  return look.outIsTerminal ? `\n${paint(text, 1, look)}\n` : '';
}

/** The last lines: how it went, how long it took, and where to go on. */
export function renderSummary({ held, story, attacks, totalMs }: DemoReport, look: Look): string {
  const heldAttacks = attacks.filter((attack) => attack.held).length;
  const heldSteps = story.filter((step) => step.held).length;
  const total = `${(totalMs / 1000).toFixed(1)} s`;
  if (!look.outIsTerminal) {
    return `${[held ? 'ok' : 'FAILED', 'total', `${totalMs} ms`, `steps ${heldSteps}/${story.length}`, `attacks held ${heldAttacks}/${attacks.length}`].join('\t')}\n`;
  }
  const verdict = held ? paint('Everything held.', 32, look) : paint('Not everything held.', 31, look);
  return `\n  ${verdict} Story ${heldSteps} of ${story.length}, attacks ${heldAttacks} of ${attacks.length}, ${total} in all.\n`;
}

function paint(text: string, code: number, { colour }: Look): string {
  return colour ? `\u001b[${code}m${text}\u001b[0m` : text;
}

/** Observations side by side while they fit; one that is too long by itself breaks between words. */
function pack(observations: readonly string[]): readonly string[] {
  return fill(observations, SEPARATOR).flatMap((line) => (line.length > WIDTH ? fill(line.split(' '), ' ') : [line]));
}

function fill(parts: readonly string[], between: string): readonly string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last === undefined || last.length + between.length + part.length > WIDTH) lines.push(part);
    else lines[lines.length - 1] = last + between + part;
  }
  return lines;
}
