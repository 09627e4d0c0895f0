import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { TestSystem } from './testing/system.ts';

const LONG = { timeout: 20_000 };
let system: TestSystem | undefined;
afterEach(() => system?.close());

it('brings what devices say, and who comes and goes, to a file, over restarts', async () => {
  const started = (system = await TestSystem.start());
  await started.addProduct('lamp');
  const lamp = await started.enroll('lamp-1');
  const file = path.join(started.folder, 'out.jsonl');
  const sinks = JSON.stringify([
    { kind: 'jsonl', name: 'file', filters: ['devices/#', '$aws/events/presence/#'], path: file },
  ]);
  await started.stop();
  await started.start({ sinks });
  const lines = () =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const first = await started.mqtt(lamp, { id: 'lamp-1' });
  expect(await first.publishOnce('devices/lamp-1/t', false, '{"c":21}')).toBe(0);
  expect(await first.publishOnce('devices/lamp-2/t', false, '{}')).toBe(0x87);
  await started.stop();
  await started.start({ sinks });
  const second = await started.mqtt(lamp, { id: 'lamp-1' });
  expect(await second.publishOnce('devices/lamp-1/t', false, '{"c":22}')).toBe(0);
  await expect
    .poll(() => lines().map(({ topic, payload }) => [topic, topic === 'devices/lamp-1/t' ? payload : undefined]), LONG)
    .toEqual([
      ['$aws/events/presence/connected/lamp-1', undefined],
      ['devices/lamp-1/t', { c: 21 }],
      ['$aws/events/presence/disconnected/lamp-1', undefined],
      ['$aws/events/presence/connected/lamp-1', undefined],
      ['devices/lamp-1/t', { c: 22 }],
    ]);
  expect(lines()[1]).toMatchObject({ device: 'lamp-1', tenant: 'default', qos: 1, encoding: 'json' });

  const { rows, spool } = await started.api.call('sinks.list', {});
  expect([rows.map(({ name, behind }) => [name, behind]), spool?.waiting]).toEqual([[['file', 0]], 0]);
  await started.api.call('sinks.replay', { sink: 'file', body: { offset: 0 } });
  await expect.poll(() => lines().length, LONG).toBe(10);
  expect(new Set(lines().map(({ id }) => id)).size).toBe(5);
  await started.api.call('sinks.retry', { sink: 'file' });
  await started.api.call('sinks.discard', { sink: 'file' });
  expect(await started.actions('file')).toEqual(['sink.discarded', 'sink.retried', 'sink.replayed']);
  expect(await started.code(started.api.call('sinks.show', { sink: 'nobody' }))).toBe('communication.sink_unknown');
});
