import { ERRORS } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { loadFirmware } from './firmware.ts';

describe('the firmware of the demo', () => {
  it('is two published versions for the same microcontroller, as they were published', async () => {
    const { older, newer } = await loadFirmware();
    expect([older.version, newer.version]).toEqual(['7.27.0', '7.28.0']);
    for (const { bytes } of [older, newer]) {
      const [stack = 0, reset = 0] = new Uint32Array(bytes.slice(0, 8).buffer);
      // ARMv7-M vector table: the stack in SRAM at 0x2000_0000, the reset handler in flash with its Thumb bit.
      expect(stack >>> 24).toBe(0x20);
      expect(reset >>> 24).toBe(0x08);
      expect(reset & 1).toBe(1);
    }
    expect(older.bytes).not.toEqual(newer.bytes);
  });

  it('is asked for with one next step when development dependencies were left out', async () => {
    const packages = { older: 'not-installed-older', newer: 'not-installed-newer' };
    await expect(loadFirmware(packages)).rejects.toMatchObject({
      code: 'cli.demo_firmware_missing',
      details: { package: 'not-installed-older' },
    });
    expect(ERRORS['cli.demo_firmware_missing'].next).toContain('npm ci');
  });
});
