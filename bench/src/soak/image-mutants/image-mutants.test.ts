import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mutantsOf } from './mutate.ts';
import { makeSpecimens } from './specimens.ts';
import { tryMutants } from './trial.ts';
import { UNPROTECTED } from './unprotected.ts';

const specimens = makeSpecimens();
/** 2,000 and more of each format, shared by its images. */
const FORMAT_SHARE = 2100;

const named = specimens.map((specimen) => {
  const alike = specimens.filter(({ format, name }) => kindOf(format, name) === kindOf(specimen.format, specimen.name));
  return [`${specimen.format} ${specimen.name}`, specimen, Math.ceil(FORMAT_SHARE / alike.length)] as const;
});

/** Encrypted images and secure binaries count as formats of their own. */
function kindOf(format: string, name: string): string {
  return format + (/^(encrypted|SB2\.1)/.exec(name)?.[0] ?? '');
}

describe('one bit, number, length, entry or order changed', () => {
  it.each(named)('is refused, or changes nothing that is installed: %s', (_name, specimen, count) => {
    const trial = tryMutants(specimen, count, 1);
    expect(trial.faults).toEqual([]);
    expect(trial.refused + trial.unprotected).toBe(count);
  });

  it('is drawn the same from the same seed, and never leaves the image as it was', () => {
    const [specimen] = specimens;
    if (specimen === undefined) throw new Error('no specimen');
    const [one, other] = [1, 1].map((seed) => [...mutantsOf(specimen, 300, seed)]);
    expect(one).toEqual(other);
    expect(one?.some(({ bytes }) => Buffer.compare(bytes, specimen.bytes) === 0)).toBe(false);
    expect(new Set(one?.map(({ change }) => change.replaceAll(/\d+/g, ''))).size).toBeGreaterThan(20);
  });

  it('is noticed when a verifier takes it', () => {
    const [specimen] = specimens;
    if (specimen === undefined) throw new Error('no specimen');
    const verify = (): ReturnType<typeof specimen.verify> => specimen.verify(specimen.bytes);
    expect(tryMutants({ ...specimen, verify }, 300, 1).faults.length).toBeGreaterThan(10);
  });
});

describe('docs/image-mutants.md', () => {
  const text = readFileSync(new URL('../../../../docs/image-mutants.md', import.meta.url), 'utf8');

  it.each(UNPROTECTED.map((place) => [`${place.format}: ${place.where}`, place] as const))(
    'has the row of %s',
    (_name, { format, where, why }) => {
      expect(text).toContain(`| ${format} | ${where} | ${why} |`);
    },
  );
});
