import type { AcceptedEvidence, DeviceRecord, ProductRecord, ReleaseRecord } from '../ports/index.ts';

/** What is known when a release may go to a device. */
export interface AssignmentFacts {
  /** Undefined when the registry does not know it. */
  readonly device: Pick<DeviceRecord, 'state' | 'product' | 'hardwareRevision'> | undefined;
  readonly product: Pick<ProductRecord, 'minimumCounter'>;
  readonly release: Pick<
    ReleaseRecord,
    'product' | 'hardwareRevision' | 'counter' | 'measurement' | 'state' | 'version'
  >;
  /** The last evidence believed. */
  readonly evidence: Pick<AcceptedEvidence, 'digest' | 'counter' | 'bootState'> | undefined;
}

export type Assignment =
  | { readonly kind: 'target' }
  | { readonly kind: 'excluded'; readonly code: ExclusionCode; readonly words: string };

interface Rule {
  readonly code: string;
  readonly holds: (facts: AssignmentFacts) => boolean;
  readonly words: string;
}

const inState =
  (state: DeviceRecord['state']) =>
  ({ device }: AssignmentFacts): boolean =>
    device?.state === state;

/** The first rule that holds names why a device is left out. */
export const EXCLUSIONS = [
  { code: 'unknown-device', holds: ({ device }) => device === undefined, words: 'the registry does not know it' },
  { code: 'revoked', holds: inState('revoked'), words: 'it was revoked' },
  { code: 'suspended', holds: inState('suspended'), words: 'it is suspended' },
  { code: 'quarantined', holds: inState('quarantined'), words: 'it is in quarantine' },
  { code: 'archived', holds: inState('archived'), words: 'it is out of service' },
  {
    code: 'other-product',
    holds: ({ device, release }) => device?.product !== release.product,
    words: 'it is another product',
  },
  {
    code: 'other-hardware',
    holds: ({ device, release }) => device?.hardwareRevision !== release.hardwareRevision,
    words: 'the release is for another hardware revision',
  },
  {
    code: 'release-withdrawn',
    holds: ({ release }) => release.state !== 'published',
    words: 'the release was withdrawn',
  },
  {
    code: 'release-below-floor',
    holds: ({ release, product }) => release.counter < product.minimumCounter,
    words: 'the release is below the security counter floor of the product',
  },
  {
    code: 'already-installed',
    holds: ({ evidence, release }) => evidence?.bootState === 'confirmed' && evidence.digest === release.measurement,
    words: 'it has proven that it runs this release',
  },
  {
    code: 'counter-above',
    holds: ({ evidence, release }) => evidence !== undefined && evidence.counter > release.counter,
    words: 'it has proven a higher security counter and would refuse this release',
  },
] as const satisfies readonly Rule[];

export type ExclusionCode = (typeof EXCLUSIONS)[number]['code'];

/** Whether a release may go to a device; asked when a rollout is planned, when it queues and again when it starts. */
export function judgeAssignment(facts: AssignmentFacts): Assignment {
  const rule = EXCLUSIONS.find((each) => each.holds(facts));
  return rule === undefined ? { kind: 'target' } : { kind: 'excluded', code: rule.code, words: rule.words };
}
