import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { erasedFlashState, NorFlash, PowerSupply } from '@holdfast/crypto/virtual-chip';
import { describe, expect, it } from 'vitest';
import { fileBacking } from './file-backing.ts';

const GEOMETRY = {
  sectors: [{ count: 4, size: 64 }],
  writeUnit: 4,
  erased: 0xff,
  programs: 1,
  endurance: 100,
} as const;
const WORDS = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

describe('a file behind a part', () => {
  it('keeps a part over the end of the process, and only its owner may read it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'flash-'));
    try {
      const path = join(folder, 'flash.bin');
      const first = new NorFlash(GEOMETRY, new PowerSupply(), fileBacking(path, erasedFlashState(GEOMETRY)));
      first.erase(1);
      first.write(64, WORDS);
      first.close();
      const second = new NorFlash(GEOMETRY, new PowerSupply(), fileBacking(path, erasedFlashState(GEOMETRY)));
      expect(second.read(64, 8)).toEqual(WORDS);
      expect(second.eraseCount(1)).toBe(1);
      expect(() => second.write(64, WORDS)).toThrowError(expect.objectContaining({ code: 'device.flash_refused' }));
      second.close();
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(() => fileBacking(path, new Uint8Array(3))).toThrowError(
        expect.objectContaining({ code: 'device.folder_damaged' }),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
