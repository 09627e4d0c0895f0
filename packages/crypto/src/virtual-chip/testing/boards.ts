import { mcubootPublicKey } from '../../mcuboot/index.ts';
import { BOARDS, type BoardName } from '../boards.ts';
import { mcubootJudge } from '../image-judge.ts';
import type { BootEvent } from '../strategy.ts';
import { VirtualChip } from '../virtual-chip.ts';
import { makeTestKey, type TestKey } from './images.ts';

/** A chip of one of the device boards. */
export function testBoard(board: BoardName, key: TestKey = makeTestKey()): VirtualChip {
  return new VirtualChip(BOARDS[board], mcubootJudge([mcubootPublicKey(key.privateKey)]));
}

/** What boots: its version, with `?` while on trial, or the code when nothing does. */
export function bootVersion(chip: VirtualChip, events: BootEvent[] = []): string {
  const verdict = chip.boot();
  events.push(...verdict.events);
  if (verdict.kind === 'power-lost') return 'power-lost';
  if (verdict.kind === 'safe-mode') return verdict.code;
  return `${verdict.image.version}${verdict.state === 'test' ? '?' : ''}`;
}
