import { systemClock } from '@holdfast/kernel';
import { HoldfastError } from '@holdfast/kernel';
import { ATTACKS } from './attacks/index.ts';
import type { DemoReport } from './render.ts';
import { Stage } from './stage.ts';
import { STORY } from './story/index.ts';
import { type Outcome, performTrial, type Trial } from './trial.ts';

export interface DemoWatcher {
  /** A chapter begins. */
  readonly chapter: (title: string) => void;
  readonly begins: (trial: Pick<Trial, 'title'>) => void;
  readonly ended: (number: number, outcome: Outcome) => void;
}

export interface DemoRun {
  readonly report: DemoReport;
  readonly stage: Stage;
}

/**
 * Plays the story, then the attacks, against a server of its own. The stage is left open for whoever wants to look.
 *
 * @throws what keeps it from beginning, `kernel.aborted`
 */
export async function runDemo(dataFolder: string, signal: AbortSignal, watcher: DemoWatcher): Promise<DemoRun> {
  const began = systemClock.monotonicMs();
  const elapsed = (): number => Math.round(systemClock.monotonicMs() - began);
  watcher.chapter('The story');
  watcher.begins({ title: 'a server starts from nothing' });
  const stage = await Stage.open(dataFolder, signal);
  try {
    const started = startOutcome(stage, elapsed());
    watcher.ended(1, started);
    const story = [started, ...(await performAll(STORY, 2, stage, watcher, 'stop-at-failure'))];
    const isWhole = story.every(({ held }) => held) && story.length === STORY.length + 1;
    // Without the story's end there is nobody to attack.
    if (isWhole) watcher.chapter('The attacks');
    const attacks = isWhole ? await performAll(ATTACKS, 1, stage, watcher, 'go-on') : [];
    const held = isWhole && attacks.every((attack) => attack.held);
    const { older, newer } = stage.firmware;
    const firmware = { older: older.version, newer: newer.version };
    return { report: { held, firmware, story, attacks, totalMs: elapsed() }, stage };
  } catch (error) {
    await stage.close();
    throw error;
  }
}

async function performAll(
  trials: readonly Trial[],
  first: number,
  stage: Stage,
  watcher: DemoWatcher,
  afterFailure: 'stop-at-failure' | 'go-on',
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const trial of trials) {
    watcher.begins(trial);
    const outcome = await performTrial(trial, stage, systemClock);
    if (stage.signal.aborted) throw new HoldfastError('kernel.aborted');
    outcomes.push(outcome);
    watcher.ended(first + outcomes.length - 1, outcome);
    if (!outcome.held && afterFailure === 'stop-at-failure') break;
  }
  return outcomes;
}

function startOutcome({ address }: Stage, ms: number): Outcome {
  return {
    name: 'server',
    title: 'a server starts from nothing: root CA, certificates, listeners on free ports',
    expected: 'up without a question asked',
    seen: `MQTT on ${address.mqttPort}, device HTTPS on ${address.httpsPort}`,
    held: address.mqttPort > 0 && address.httpsPort > 0,
    ms,
  };
}
