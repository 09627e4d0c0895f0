import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { WYCHEPROOF } from './testing/wycheproof.ts';

describe('Wycheproof', () => {
  it.each(WYCHEPROOF)('$file: $title', ({ run, expected }) => {
    expect(run()).toEqual(expected);
  });

  it('is played to the last file', () => {
    const files = readdirSync(new URL('../../vectors/wycheproof/', import.meta.url)).filter((name) =>
      name.endsWith('.json'),
    );
    const played = new Set(WYCHEPROOF.map(({ file }) => `${file}_test.json`));
    expect([...played].sort()).toEqual(files.sort());
  });
});
