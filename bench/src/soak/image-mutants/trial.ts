import type { AcceptedImage } from '../../../../packages/trust/src/boot/index.ts';
import { equalBytes } from '../../../../packages/kernel/src/index.ts';
import { mutantsOf, type ImageMutant } from './mutate.ts';
import type { Specimen } from './specimen.ts';
import { CANONICAL } from './unprotected.ts';

/** What became of the mutants of one specimen. */
export interface Trial {
  readonly tried: number;
  readonly refused: number;
  /** Accepted by a place of the table, with the same payload. */
  readonly unprotected: number;
  /** Accepted and should not have been, or not even judged. */
  readonly faults: readonly string[];
}

const MOST_WORDS = 20;

/** Has mutants of a specimen judged. @throws when the specimen itself is refused */
export function tryMutants(specimen: Specimen, count: number, seed: number): Trial {
  const original = specimen.verify(specimen.bytes);
  if (original.kind === 'refused') throw new Error(`${specimen.format} ${specimen.name}: ${original.code}`);
  let [refused, unprotected] = [0, 0];
  const faults: string[] = [];
  for (const mutant of mutantsOf(specimen, count, seed)) {
    const fate = judge(specimen, original, mutant);
    if (fate === 'refused') refused += 1;
    else if (fate === 'unprotected') unprotected += 1;
    else faults.push(`${specimen.format} ${specimen.name}: ${mutant.change}: ${fate}`);
  }
  return { tried: count, refused, unprotected, faults: faults.slice(0, MOST_WORDS) };
}

function judge(specimen: Specimen, original: AcceptedImage, { bytes }: ImageMutant): string {
  try {
    const verdict = specimen.verify(bytes);
    if (verdict.kind === 'refused') return 'refused';
    return differs(original, verdict) ?? strayChange(specimen, bytes) ?? 'unprotected';
  } catch (error) {
    return `no verdict: ${String(error)}`;
  }
}

/** What a device would do otherwise. */
function differs(original: AcceptedImage, verdict: AcceptedImage): string | undefined {
  const what = (['digest', 'keyId', 'version', 'securityCounter'] as const).find(
    (name) => original[name] !== verdict[name],
  );
  if (what !== undefined) return `accepted with another ${what}`;
  // Where the whole file is handed on, the table alone says what may differ in it.
  const isWhole = original.payload.length === original.bytes.length;
  return isWhole || equalBytes(original.payload, verdict.payload) ? undefined : 'accepted with another payload';
}

function strayChange({ format, bytes }: Specimen, mutant: Uint8Array): string | undefined {
  const canonical = CANONICAL[format] ?? ((whole: Uint8Array): Uint8Array => whole);
  const [is, was] = [canonical(mutant), canonical(bytes)];
  return equalBytes(is, was) ? undefined : `accepted, and not by a place of the table (${mutant.length} bytes)`;
}
