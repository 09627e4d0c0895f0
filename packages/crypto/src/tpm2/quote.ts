import { equalBytes, HoldfastError } from '@holdfast/kernel';
import { decodeEventLog, type EventLog, type TpmClockInfo, TPM_HASHES, type TpmPublic } from '@holdfast/wire/tpm2';
import { timingSafeEqual } from '../primitives/hash.ts';
import { type AttestRefusal, type SignedAttest, verifyAttest } from './attestation.ts';
import { type PcrBank, pcrDigest, unexplainedPcrs } from './registers.ts';

/** The bank that is asked for and judged; every TPM of the field has it. */
export const QUOTE_BANK = 'sha256';

export interface QuoteEvidence extends SignedAttest {
  /** The registers quoted, whole: the quote itself holds their hash alone. */
  readonly pcrs: PcrBank;
  /** The firmware's log, as the kernel shows it. */
  readonly eventLog: Uint8Array | undefined;
}

export type QuoteRefusal = AttestRefusal | 'nonce' | 'selection' | 'pcr-digest' | 'event-log';

export type QuoteVerdict =
  | {
      readonly kind: 'quoted';
      readonly pcrs: PcrBank;
      readonly pcrDigest: Uint8Array;
      readonly eventLog: EventLog | undefined;
      readonly clockInfo: TpmClockInfo;
      readonly firmwareVersion: bigint;
    }
  | { readonly kind: 'refused'; readonly reason: QuoteRefusal; readonly detail: string };

/**
 * Judges a quote: form, key, signature, nonce, selection, the registers under its digest, and the log under them.
 * Whether the values are good ones is for posture. Never throws.
 */
export function verifyQuote(
  evidence: QuoteEvidence,
  { attestationKey, nonce }: { readonly attestationKey: TpmPublic; readonly nonce: Uint8Array },
): QuoteVerdict {
  const verdict = verifyAttest(evidence, attestationKey, 'quote');
  if (verdict.kind === 'refused') return verdict;
  const { attest } = verdict;
  if (attest.extraData.length !== nonce.length || !timingSafeEqual(attest.extraData, nonce)) {
    return refused('nonce', 'extraData');
  }
  const [selection, ...others] = attest.selections;
  if (selection?.bank !== QUOTE_BANK || others.length > 0 || selection.pcrs.length === 0) {
    return refused('selection', 'bank');
  }
  const { pcrs } = evidence;
  // Exactly the quoted registers: one more would be a value nobody signed.
  if (pcrs.size !== selection.pcrs.length || !selection.pcrs.every((pcr) => isValue(pcrs.get(pcr)))) {
    return refused('selection', 'pcrs');
  }
  if (!equalBytes(pcrDigest(pcrs, QUOTE_BANK), attest.pcrDigest)) return refused('pcr-digest', 'pcrs');
  return withLog(evidence, { ...attest, kind: 'quoted', pcrs });
}

function withLog(
  { eventLog: bytes }: QuoteEvidence,
  found: Omit<QuoteVerdict & { kind: 'quoted' }, 'eventLog'>,
): QuoteVerdict {
  const { kind, pcrs, pcrDigest: quoted, clockInfo, firmwareVersion } = found;
  const verdict = { kind, pcrs, pcrDigest: quoted, clockInfo, firmwareVersion };
  if (bytes === undefined) return { ...verdict, eventLog: undefined };
  try {
    const eventLog = decodeEventLog(bytes);
    const [unexplained] = unexplainedPcrs(eventLog, pcrs, QUOTE_BANK);
    if (unexplained !== undefined) return refused('event-log', `pcr ${unexplained}`);
    return { ...verdict, eventLog };
  } catch (error) {
    if (HoldfastError.is(error)) return refused('event-log', String(error.details['field'] ?? error.code));
    throw error;
  }
}

function isValue(bytes: Uint8Array | undefined): boolean {
  return bytes?.length === TPM_HASHES[QUOTE_BANK].size;
}

function refused(reason: QuoteRefusal, detail: string) {
  return { kind: 'refused', reason, detail } as const;
}
