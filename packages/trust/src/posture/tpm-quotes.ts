import { type QuoteRefusal, type QuoteVerdict, verifyQuote } from '@holdfast/crypto';
import { encodeHex, type ErrorCode, HoldfastError } from '@holdfast/kernel';
import { decodeQuoteEvidence, decodeTpmAttest, decodeTpmPublic } from '@holdfast/wire/tpm2';
import type {
  AcceptedEvidence,
  DeviceRecord,
  PostureReason,
  ProductRecord,
  TpmReference,
  TpmStarts,
} from '../ports/index.ts';
import { judgePosture, type PostureJudgement } from './rules.ts';

export type Quoted = QuoteVerdict & { readonly kind: 'quoted' };

const REFUSALS: Readonly<Record<QuoteRefusal, ErrorCode>> = {
  malformed: 'posture.evidence_malformed',
  selection: 'posture.evidence_malformed',
  key: 'posture.evidence_forged',
  signature: 'posture.evidence_forged',
  'pcr-digest': 'posture.evidence_forged',
  'event-log': 'posture.log_contradicts',
  nonce: 'posture.nonce_unknown',
};

/** What is measured where (TCG PC Client Platform Firmware Profile 1.05, 2.3.4; systemd for 11-15). */
const REGISTERS: Readonly<Record<number, string>> = {
  0: 'firmware',
  1: 'firmware settings',
  2: 'option ROMs',
  3: 'option ROM settings',
  4: 'boot loader',
  5: 'partition table and boot loader settings',
  6: 'platform maker',
  7: 'secure boot policy',
  8: 'boot loader commands',
  9: 'kernel and initial file system',
  10: 'files the kernel measured',
  11: 'unified kernel image',
  12: 'kernel command line',
  13: 'system extensions',
  14: 'shim policy',
  15: 'system identity',
};

/** What an unknown state counts as, so that every minimum of the product is above it. */
const NO_VERSION = '0.0.0';
const MAX_REASONS = 8;

/** The nonce a quote says it answers, read before anything is believed. */
export function nonceOfQuote(token: Uint8Array): Uint8Array | undefined {
  try {
    return decodeTpmAttest(decodeQuoteEvidence(token).attest).extraData;
  } catch (error) {
    if (HoldfastError.is(error)) return undefined;
    throw error;
  }
}

/** @param attestationKey - TPMT_PUBLIC, bound to the device when it enrolled */
export function examineQuote(
  token: Uint8Array,
  { attestationKey, nonce }: { readonly attestationKey: Uint8Array; readonly nonce: Uint8Array },
): Quoted | { readonly kind: 'refused'; readonly code: ErrorCode; readonly detail: string } {
  const evidence = decodeQuoteEvidence(token);
  const verdict = verifyQuote(evidence, { attestationKey: decodeTpmPublic(attestationKey), nonce });
  if (verdict.kind === 'quoted') return verdict;
  return { kind: 'refused', code: REFUSALS[verdict.reason], detail: verdict.detail };
}

export interface QuoteFacts {
  readonly product: ProductRecord;
  readonly device: Pick<DeviceRecord, 'hardwareRevision'>;
  readonly quoted: Quoted;
  /** Of the product, newest first. */
  readonly references: readonly TpmReference[];
  /** At the last quote. */
  readonly before: TpmStarts | undefined;
}

export interface QuoteJudgement {
  readonly judgement: PostureJudgement;
  readonly evidence: Omit<AcceptedEvidence, 'at'>;
  /** Whether the machine started again since it quoted last. */
  readonly restarted: boolean;
  /** What later quotes are held against: the most that was ever seen, or quoting twice would be enough to go back. */
  readonly starts: TpmStarts;
}

/** Holds quoted registers against what was recorded for the product. */
export function judgeQuote(facts: QuoteFacts): QuoteJudgement {
  const { product, device, quoted, references, before } = facts;
  const candidates = references
    .filter(({ hardwareRevision }) => hardwareRevision === device.hardwareRevision)
    .map((reference) => ({ reference, differing: differingRegisters(reference, quoted) }));
  const match = candidates.find(({ differing }) => differing.length === 0)?.reference;
  const digest = encodeHex(quoted.pcrDigest);
  const rewound = startReasons(quoted, before);
  const known =
    match &&
    judgePosture({
      product,
      device,
      measured: { digest, counter: match.counter },
      bootState: 'confirmed',
      reference: { ...match, digest, releaseId: undefined },
      highestCounter: undefined,
    });
  const nearest = candidates.toSorted((a, b) => a.differing.length - b.differing.length)[0];
  const reasons = [...rewound, ...(known?.reasons ?? (nearest ? differences(nearest) : nothingRecorded(product)))];
  const isGood = known?.posture === 'proven' && rewound.length === 0;
  return {
    judgement: { posture: isGood ? 'proven' : 'restricted', reasons, mayConfirm: false },
    evidence: {
      digest,
      version: match?.version ?? NO_VERSION,
      counter: match?.counter ?? 0,
      bootState: 'confirmed',
      releaseId: undefined,
    },
    restarted: before !== undefined && hasRestarted(quoted, before),
    starts: before !== undefined && rewound.length > 0 ? before : startsOf(quoted),
  };
}

function differingRegisters({ pcrs }: TpmReference, { pcrs: quoted }: Quoted): readonly number[] {
  return Object.entries(pcrs)
    .filter(([pcr, value]) => encodeHex(quoted.get(Number(pcr)) ?? new Uint8Array()) !== value)
    .map(([pcr]) => Number(pcr));
}

function differences({
  reference,
  differing,
}: {
  readonly reference: TpmReference;
  readonly differing: readonly number[];
}): readonly PostureReason[] {
  return differing.slice(0, MAX_REASONS).map((pcr) => ({
    code: 'posture.register_differs',
    words: `register ${pcr} (${REGISTERS[pcr] ?? 'other'}) is not what version ${reference.version} was recorded with`,
  }));
}

function nothingRecorded({ name }: ProductRecord): readonly PostureReason[] {
  return [{ code: 'posture.nothing_recorded', words: `no register values are recorded for ${name} on this hardware` }];
}

/** The attack: the TPM's state was put back to an earlier one, as a virtual machine's snapshot does. */
function startReasons(quoted: Quoted, before: TpmStarts | undefined): readonly PostureReason[] {
  const now = startsOf(quoted);
  if (before === undefined || !isBefore(now, before)) return [];
  const [seen, counted] = [before, now].map(
    ({ resetCount, restartCount }) => `${resetCount} starts and ${restartCount} resumes`,
  );
  const words = `its TPM counts ${counted} after ${seen} were seen: it was cleared or put back`;
  return [{ code: 'posture.starts_went_back', words }];
}

function startsOf({ clockInfo: { resetCount, restartCount } }: Quoted): TpmStarts {
  return { resetCount, restartCount };
}

/** Resumes are counted from zero after every start (TPM 2.0 part 2, TPMS_CLOCK_INFO). */
function isBefore(one: TpmStarts, other: TpmStarts): boolean {
  if (one.resetCount !== other.resetCount) return one.resetCount < other.resetCount;
  return one.restartCount < other.restartCount;
}

function hasRestarted({ clockInfo }: Quoted, before: TpmStarts): boolean {
  return clockInfo.resetCount !== before.resetCount || clockInfo.restartCount !== before.restartCount;
}
