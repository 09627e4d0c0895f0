import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { seededRandom } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boot } from './sample-boot.ts';

let folder = '';
const at = (name: string): string => path.join(folder, name);

async function sign(version: number): Promise<void> {
  writeFileSync(at('app.bin'), seededRandom(version).bytes(5000));
  const layout = ['--header-size', '512', '--pad-header', '--align', '4'];
  const level = ['--version', `${version}.0.0`, '--security-counter', String(version)];
  const files = [at('app.bin'), at(`v${version}.img`), '--format', 'mcuboot', '--key', at('key')];
  expect((await boot(['sign', ...files, ...level, ...layout])).exit).toBe(0);
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-rehearse-'));
  await boot(['keygen', at('key'), '--type', 'ecdsa-p256']);
  await sign(1);
  await sign(2);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rehearse = (image: string, ...more: readonly string[]) =>
  boot(['rehearse', at(image), '--format', 'mcuboot', '--key', at('key.pub'), ...more]);

describe('holdfast boot rehearse', () => {
  it('shows what was tried on the named chip, and exits 0 when all of it held', async () => {
    const run = await rehearse('v2.img', '--from', at('v1.img'), '--chip', 'nRF52840', '--cuts', '3');
    expect(run).toMatchObject({ exit: 0, err: '' });
    expect(run.out).toContain('nrf52840, swap-move');
    expect(run.out).toContain('survives 3 power cuts');
  });

  it('exits 1 with the code of the refusal for an image that a device in the field would not boot', async () => {
    const run = await rehearse('v1.img', '--from', at('v2.img'), '--cuts', '1', '--json');
    expect(run.exit).toBe(1);
    expect(JSON.parse(run.out)).toMatchObject({
      result: 'refused',
      steps: expect.arrayContaining([expect.objectContaining({ code: 'boot.counter_too_low' })]),
    });
  });

  it.each([
    ['a chip that boots no such image', ['--chip', 'esp32']],
    ['a strategy the chip does not have', ['--chip', 'lpc55s69', '--strategy', 'swap-move']],
    ['a number of cuts that is none', ['--cuts', 'many']],
    ['no time at all', ['--seconds', '0']],
  ])('takes %s for a mistake of usage', async (_name, options) => {
    expect(await rehearse('v2.img', ...options)).toMatchObject({ exit: 64, code: 'boot.bad_option' });
  });
});
