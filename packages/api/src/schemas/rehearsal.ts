import { z } from 'zod';
import { Timestamp } from './common.ts';

export const RehearsalStep = z.object({
  /** `image`: by itself. `update`: from one firmware in the field. `attack`: what boot code must refuse. */
  kind: z.enum(['image', 'update', 'attack']),
  name: z.string(),
  result: z.enum(['passed', 'refused', 'not-rehearsed']),
  code: z.string().optional(),
  words: z.string(),
  cuts: z.number().int().optional(),
  operations: z.number().int().optional(),
});

/** What booting a release in the virtual chip of its product found. */
export const RehearsalReport = z.object({
  format: z.string(),
  /** Absent when no virtual chip boots the format. */
  chip: z.string().optional(),
  strategy: z.string().optional(),
  /** `partial`: nothing was refused, and something could not be tried. */
  result: z.enum(['passed', 'refused', 'partial']),
  steps: z.array(RehearsalStep),
  cuts: z.number().int(),
  seed: z.number().int(),
  seconds: z.number(),
});

export const Rehearsal = z.object({
  state: z.enum(['none', 'running', 'passed', 'refused', 'partial']),
  /** While it runs: the step it is at and the power cuts made. */
  progress: z.object({ step: z.string(), cuts: z.number().int() }).optional(),
  report: RehearsalReport.optional(),
  at: Timestamp.optional(),
});
export type Rehearsal = z.infer<typeof Rehearsal>;

/** The virtual chip releases of a product are rehearsed in. */
export const SetChip = z.object({ chip: z.string().min(1).max(32), strategy: z.string().min(1).max(32).optional() });
