import type {
  AcceptedEvidence,
  DeviceRecord,
  Posture,
  PostureReason,
  ProductRecord,
  ReferenceValue,
} from '../ports/index.ts';
import { shortfallOf } from '../boot/index.ts';

/** What believed evidence showed, beside what the registry and the signing step know. */
export interface PostureFacts {
  readonly product: ProductRecord;
  readonly device: Pick<DeviceRecord, 'hardwareRevision'>;
  /** From the certificate chain. */
  readonly measured: { readonly digest: string; readonly counter: number };
  readonly bootState: AcceptedEvidence['bootState'];
  /** What the signing step recorded for the digest; undefined when we never signed such an image. */
  readonly reference: ReferenceValue | undefined;
  /** Undefined when nothing was ever signed for the product. */
  readonly highestCounter: number | undefined;
}

export interface PostureRule {
  readonly code: string;
  /** What the rule stops. */
  readonly attack: string;
  readonly leadsTo: 'restricted' | 'quarantined';
  /** Whether an image on trial that breaks it may not be kept. */
  readonly blocksConfirmation: boolean;
  readonly broken: (facts: PostureFacts) => boolean;
  readonly words: (facts: PostureFacts) => string;
}

/** Every rule is looked at; all broken ones become reasons and the worst decides. */
export const POSTURE_RULES: readonly PostureRule[] = [
  {
    code: 'posture.counter_beyond_signed',
    attack: 'firmware signed with a stolen key or outside Holdfast, numbered past every release of ours',
    leadsTo: 'quarantined',
    blocksConfirmation: true,
    broken: ({ measured, highestCounter }) => highestCounter !== undefined && measured.counter > highestCounter,
    words: ({ measured, highestCounter, product }) =>
      `security counter ${measured.counter} is above any ever signed for ${product.name} (${highestCounter ?? 0})`,
  },
  {
    code: 'posture.firmware_unknown',
    attack: 'an image that was never signed here runs on the device',
    leadsTo: 'restricted',
    blocksConfirmation: true,
    // In safe mode the stage that stands in for the application is measured, which no release is.
    broken: ({ reference, bootState }) => reference === undefined && bootState !== 'recovery',
    words: ({ measured, product }) =>
      `it runs firmware ${measured.digest.slice(0, 12)}… that was not signed here for ${product.name}`,
  },
  {
    code: 'posture.counter_mismatch',
    attack: 'a boot stage that reports another counter than the image was signed with',
    leadsTo: 'restricted',
    blocksConfirmation: true,
    broken: ({ reference, measured }) => reference !== undefined && reference.counter !== measured.counter,
    words: ({ reference, measured }) =>
      `it reports security counter ${measured.counter}, the firmware was signed with ${reference?.counter ?? 0}`,
  },
  {
    code: 'posture.wrong_hardware',
    attack: 'firmware of another hardware revision, which may drive the wrong pins',
    leadsTo: 'restricted',
    blocksConfirmation: true,
    broken: ({ reference, device }) =>
      reference !== undefined && reference.hardwareRevision !== device.hardwareRevision,
    words: ({ reference, device }) =>
      `its firmware is for hardware ${reference?.hardwareRevision ?? ''}, the device is ${device.hardwareRevision}`,
  },
  {
    code: 'posture.recovery',
    attack: 'none; the device has no application that starts',
    leadsTo: 'restricted',
    blocksConfirmation: true,
    broken: ({ bootState }) => bootState === 'recovery',
    words: () => 'it is in safe mode and waits for an update',
  },
  {
    code: 'posture.below_minimum',
    attack: 'a device kept on firmware with a known hole',
    leadsTo: 'restricted',
    blocksConfirmation: false,
    broken: ({ reference, product }) => reference !== undefined && shortfallOf(product, reference) !== undefined,
    words: ({ reference, product }) => belowMinimumWords(product, reference?.version ?? ''),
  },
];

export interface PostureJudgement {
  readonly posture: Exclude<Posture, 'unproven'>;
  readonly reasons: readonly PostureReason[];
  readonly mayConfirm: boolean;
}

export function judgePosture(facts: PostureFacts): PostureJudgement {
  const broken = POSTURE_RULES.filter((rule) => rule.broken(facts));
  return {
    posture: broken.some(({ leadsTo }) => leadsTo === 'quarantined')
      ? 'quarantined'
      : broken.length > 0
        ? 'restricted'
        : 'proven',
    reasons: broken.map(({ code, words }) => ({ code, words: words(facts) })),
    mayConfirm: !broken.some(({ blocksConfirmation }) => blocksConfirmation),
  };
}

export function belowMinimumWords(product: ProductRecord, version: string): string {
  const limits = [
    ...(product.minimumVersion === undefined ? [] : [`version ${product.minimumVersion}`]),
    ...(product.minimumCounter === 0 ? [] : [`security counter ${product.minimumCounter}`]),
  ];
  return `it runs ${version}; ${product.name} needs at least ${limits.join(' and ')}`;
}
