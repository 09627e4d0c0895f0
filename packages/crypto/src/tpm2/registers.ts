import { concatBytes, equalBytes } from '@holdfast/kernel';
import { type EventLog, type MeasuredEvent, PCR_COUNT, TPM_HASHES, type TpmHash } from '@holdfast/wire/tpm2';
import { digest } from '../primitives/hash.ts';

/** Register number to value, in one bank. */
export type PcrBank = ReadonlyMap<number, Uint8Array>;

/** The digest a quote carries: the hash of the selected values in ascending order (TPM 2.0 part 3, 18.4). */
export function pcrDigest(values: PcrBank, hash: TpmHash): Uint8Array<ArrayBuffer> {
  const ascending = [...values.keys()].sort((a, b) => a - b);
  return digest(hash, concatBytes(...ascending.map((pcr) => values.get(pcr) ?? new Uint8Array())));
}

export function extendPcr(hash: TpmHash, value: Uint8Array, by: Uint8Array): Uint8Array<ArrayBuffer> {
  return digest(hash, concatBytes(value, by));
}

/** What a register holds before anything was measured: 17-22 are all ones until a dynamic launch (PC Client, 4.6). */
export function initialPcr(pcr: number, bank: TpmHash, startupLocality = 0): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(TPM_HASHES[bank].size).fill(pcr >= 17 && pcr <= 22 ? 0xff : 0);
  if (pcr === 0) value[value.length - 1] = startupLocality;
  return value;
}

/** The registers as the log says they became; those it never names are left out. */
export function replayEventLog({ startupLocality, events }: EventLog, bank: TpmHash): PcrBank {
  const values = new Map<number, Uint8Array>();
  for (const { pcr, digests } of events) {
    const by = digests.get(bank);
    if (by === undefined || pcr >= PCR_COUNT) continue;
    values.set(pcr, extendPcr(bank, values.get(pcr) ?? initialPcr(pcr, bank, startupLocality), by));
  }
  return values;
}

/** Registers whose quoted value is not what the log comes to; the log explains the others. */
export function unexplainedPcrs(log: EventLog, quoted: PcrBank, bank: TpmHash): readonly number[] {
  return [...replayEventLog(log, bank)]
    .filter(([pcr, value]) => quoted.has(pcr) && !equalBytes(quoted.get(pcr) ?? new Uint8Array(), value))
    .map(([pcr]) => pcr);
}

export function eventsOf({ events }: EventLog, pcr: number): readonly MeasuredEvent[] {
  return events.filter((event) => event.pcr === pcr);
}
