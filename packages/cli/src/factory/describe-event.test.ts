import type { AgentEvent } from '@holdfast/device';
import { describe, expect, it } from 'vitest';
import { describeEvent } from './describe-event.ts';

const LINES: readonly [AgentEvent, string | undefined][] = [
  [
    { kind: 'booted', mode: 'application', version: '1.0.0', bootState: 'test', securityCounter: 1 },
    'boots 1.0.0 (test)',
  ],
  [
    {
      kind: 'booted',
      mode: 'safe-mode',
      version: '0.0.0',
      bootState: 'recovery',
      securityCounter: 1,
      code: 'boot.hash_mismatch',
    },
    'safe mode (boot.hash_mismatch)',
  ],
  [{ kind: 'boot-step', step: { kind: 'swap', type: 'test', resumed: true } }, 'bootloader: resumes a test swap'],
  [
    { kind: 'boot-step', step: { kind: 'image-refused', slot: 'secondary', code: 'boot.counter_too_low' } },
    'bootloader: secondary image refused (boot.counter_too_low)',
  ],
  [{ kind: 'disconnected', code: 'device.connection_lost', reason: '' }, 'disconnected: device.connection_lost'],
  [
    { kind: 'job', jobId: 'j', status: 'FAILED', code: 'device.image_mismatch' },
    'update FAILED (device.image_mismatch)',
  ],
  [{ kind: 'job', jobId: 'j', status: 'IN_PROGRESS', step: 'restarting' }, 'update IN_PROGRESS restarting'],
  [{ kind: 'downloading', jobId: 'j', received: 4096, size: 100_000 }, undefined],
  [{ kind: 'downloading', jobId: 'j', received: 53_248, size: 100_000 }, 'downloaded 50 %'],
  [{ kind: 'downloading', jobId: 'j', received: 100_000, size: 100_000 }, 'downloaded 100 %'],
];

describe('the line of an event', () => {
  it.each(LINES)('words %j as %s', (event, line) => expect(describeEvent(event)).toBe(line));

  it('tells of a download four times, however many blocks it has', () => {
    const size = 294_196;
    const blocks = Array.from({ length: Math.ceil(size / 4096) }, (_, at) => Math.min((at + 1) * 4096, size));
    const lines = blocks.map((received) => describeEvent({ kind: 'downloading', jobId: 'j', received, size }));
    expect(lines.filter((line) => line !== undefined)).toEqual(
      [25, 50, 75, 100].map((percent) => `downloaded ${percent} %`),
    );
  });
});
