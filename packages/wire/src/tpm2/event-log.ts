import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8, equalBytes, HoldfastError } from '@holdfast/kernel';
import { TPM_ALG, TPM_HASHES, type TpmHash, tpmHashOf } from './constants.ts';
import { malformed } from './fields.ts';
import { PCR_COUNT } from './pcr-selection.ts';

/** One measurement a boot stage wrote down (TCG_PCR_EVENT2). */
export interface MeasuredEvent {
  readonly pcr: number;
  /** `EV_` number of the TCG PC Client Platform Firmware Profile, 10.4.1. */
  readonly type: number;
  /** Of the banks we hash with; others were skipped. */
  readonly digests: ReadonlyMap<TpmHash, Uint8Array>;
  readonly data: Uint8Array;
}

export interface EventLog {
  /** Locality of TPM2_Startup, which PCR 0 begins with; 0 unless the log says otherwise. */
  readonly startupLocality: number;
  /** Those that were extended into a register, in order. */
  readonly events: readonly MeasuredEvent[];
}

/** Largest log we read; `/sys/kernel/security/tpm0/binary_bios_measurements` is 20-60 KiB on PCs. */
export const MAX_EVENT_LOG = 128 * 1024;

const EV_NO_ACTION = 3;
const SPEC_ID = encodeUtf8('Spec ID Event03\0');
const LOCALITY = encodeUtf8('StartupLocality\0');
const MAX_BANKS = 8;
const MAX_EVENTS = 4096;

/**
 * Decodes a crypto-agile firmware event log (TCG PC Client Platform Firmware Profile 1.05, 10.2), little endian.
 *
 * @throws `wire.too_large` above 128 KiB, 4,096 events or 8 banks
 * @throws `wire.unsupported` for the SHA-1 log of TPM 1.2
 * @throws `wire.truncated`, `wire.malformed`, `wire.duplicate`
 */
export function decodeEventLog(bytes: Uint8Array): EventLog {
  if (bytes.length > MAX_EVENT_LOG) throw new HoldfastError('wire.too_large', { field: 'log', limit: MAX_EVENT_LOG });
  const reader = new ByteReader(bytes);
  const banks = readHeader(reader);
  const events: MeasuredEvent[] = [];
  let startupLocality = 0;
  for (let count = 0; reader.remaining > 0; count++) {
    if (count === MAX_EVENTS) throw new HoldfastError('wire.too_large', { field: 'events', limit: MAX_EVENTS });
    const event = readEvent(reader, banks);
    if (event.type !== EV_NO_ACTION) events.push(event);
    else if (isLocality(event)) startupLocality = event.data[LOCALITY.length] ?? 0;
  }
  return { startupLocality, events };
}

/** Writes a log with the banks of its first event, as firmware does. */
export function encodeEventLog({ startupLocality, events }: EventLog): Uint8Array<ArrayBuffer> {
  const banks = [...(events[0]?.digests.keys() ?? (['sha256'] as const))];
  const writer = new ByteWriter(1024).u32le(0).u32le(EV_NO_ACTION).fill(0, 20);
  writer.u32le(SPEC_ID.length + 12 + 4 * banks.length + 1).bytes(SPEC_ID);
  writer.u32le(0).u8(0).u8(2).u8(0).u8(2).u32le(banks.length);
  for (const bank of banks) writer.u16le(TPM_HASHES[bank].id).u16le(TPM_HASHES[bank].size);
  writer.u8(0);
  const zero = new Map(banks.map((bank) => [bank, new Uint8Array(TPM_HASHES[bank].size)]));
  if (startupLocality !== 0) {
    writeEvent(writer, {
      pcr: 0,
      type: EV_NO_ACTION,
      digests: zero,
      data: Uint8Array.of(...LOCALITY, startupLocality),
    });
  }
  for (const event of events) writeEvent(writer, event);
  return writer.finish();
}

/** The text of an event whose data is text, for people: grub commands, boot loader names; else undefined. */
export function eventText({ data }: Pick<MeasuredEvent, 'data'>): string | undefined {
  const end = data.indexOf(0);
  const text = data.subarray(0, Math.min(end === -1 ? data.length : end, 96));
  if (text.length === 0 || text.some((byte) => byte < 0x20 || byte > 0x7e)) return undefined;
  return decodeUtf8(text);
}

type Banks = readonly { readonly id: number; readonly size: number }[];

function readHeader(reader: ByteReader): Banks {
  if (reader.u32le('header.pcrIndex') !== 0) throw malformed(reader, 'header.pcrIndex');
  if (reader.u32le('header.eventType') !== EV_NO_ACTION) {
    throw new HoldfastError('wire.unsupported', { field: 'header.eventType', reason: 'tpm 1.2 log' });
  }
  reader.skip(20, 'header.digest');
  const size = reader.u32le('header.eventSize');
  const spec = new ByteReader(reader.take(size, 'header.event'));
  if (!equalBytes(spec.take(SPEC_ID.length, 'header.signature'), SPEC_ID)) throw malformed(reader, 'header.signature');
  spec.skip(4, 'header.platformClass');
  spec.skip(4, 'header.specVersion');
  const count = spec.u32le('header.numberOfAlgorithms');
  if (count === 0 || count > MAX_BANKS)
    throw new HoldfastError('wire.too_large', { field: 'header.numberOfAlgorithms' });
  const banks: { id: number; size: number }[] = [];
  for (let i = 0; i < count; i++) banks.push(readBank(spec, banks));
  spec.skip(spec.u8('header.vendorInfoSize'), 'header.vendorInfo');
  spec.end('header.event');
  return banks;
}

function readBank(spec: ByteReader, before: Banks): { id: number; size: number } {
  const bank = { id: spec.u16le('header.algorithmId'), size: spec.u16le('header.digestSize') };
  if (before.some(({ id }) => id === bank.id))
    throw new HoldfastError('wire.duplicate', { field: 'header.algorithmId' });
  const known = bank.id === TPM_ALG.sha1 ? 20 : knownSize(bank.id);
  if (bank.size > 64 || (known !== undefined && known !== bank.size)) throw malformed(spec, 'header.digestSize');
  return bank;
}

function knownSize(id: number): number | undefined {
  const hash = tpmHashOf(id);
  return hash && TPM_HASHES[hash].size;
}

function readEvent(reader: ByteReader, banks: Banks): MeasuredEvent {
  const pcr = reader.u32le('pcrIndex');
  const type = reader.u32le('eventType');
  if (pcr >= PCR_COUNT && type !== EV_NO_ACTION) throw malformed(reader, 'pcrIndex');
  // Every bank of the header, no other: a log that leaves one out would replay to whatever it likes.
  if (reader.u32le('digests.count') !== banks.length) throw malformed(reader, 'digests.count');
  const digests = new Map<TpmHash, Uint8Array>();
  const seen = new Set<number>();
  for (let i = 0; i < banks.length; i++) {
    const id = reader.u16le('digests.algorithmId');
    const bank = banks.find((each) => each.id === id);
    if (bank === undefined || seen.has(id)) throw malformed(reader, 'digests.algorithmId');
    seen.add(id);
    const digest = reader.take(bank.size, 'digests.digest');
    const hash = tpmHashOf(id);
    if (hash !== undefined) digests.set(hash, digest);
  }
  return { pcr, type, digests, data: reader.take(reader.u32le('eventSize'), 'event') };
}

function writeEvent(writer: ByteWriter, { pcr, type, digests, data }: MeasuredEvent): void {
  writer.u32le(pcr).u32le(type).u32le(digests.size);
  for (const [hash, digest] of digests) writer.u16le(TPM_HASHES[hash].id).bytes(digest);
  writer.u32le(data.length).bytes(data);
}

function isLocality({ pcr, data }: MeasuredEvent): boolean {
  return pcr === 0 && data.length === LOCALITY.length + 1 && equalBytes(data.subarray(0, LOCALITY.length), LOCALITY);
}
