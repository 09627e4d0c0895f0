import { ByteReader, type Clock, type Random } from '@holdfast/kernel';
import { REASON } from '@holdfast/wire/mqtt';
import type { EndCause } from './ports.ts';

export interface Leaving {
  fail(reason: number, cause: EndCause): void;
}

export interface FarewellPorts {
  readonly clock: Clock;
  readonly random: Random;
}

const WAVE_MS = 100;
const MIN_WAVE = 50;
/** With the pause between them: all are gone within five seconds, however many they are. */
const MAX_WAVES = 50;

/**
 * Sends clients to other servers (MQTT 5: 0x9C), a few at a time and in no order, so that those are not overrun.
 * A few clients go at once.
 */
export async function dismissInWaves(connections: readonly Leaving[], { clock, random }: FarewellPorts): Promise<void> {
  const waiting = shuffle(connections, random);
  const wave = Math.max(MIN_WAVE, Math.ceil(waiting.length / MAX_WAVES));
  for (let at = 0; at < waiting.length; at += wave) {
    if (at > 0) {
      await new Promise<void>((resolve) => {
        clock.after(WAVE_MS, resolve);
      });
    }
    for (const connection of waiting.slice(at, at + wave)) connection.fail(REASON.useAnotherServer, 'server-shutdown');
  }
}

function shuffle<Item>(items: readonly Item[], random: Random): readonly Item[] {
  const reader = new ByteReader(random.bytes(items.length * 4));
  const ranked = items.map((item) => ({ item, rank: reader.u32be('rank') }));
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ item }) => item);
}
