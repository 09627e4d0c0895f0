import { type ByteReader, type ByteWriter, HoldfastError } from '@holdfast/kernel';
import { TPM_HASHES, type TpmHash, tpmHashOf } from './constants.ts';
import { malformed, unsupported } from './fields.ts';

/** Registers of one bank, ascending (TPMS_PCR_SELECTION). */
export interface PcrSelection {
  readonly bank: TpmHash;
  /** 0-23, ascending, each once. */
  readonly pcrs: readonly number[];
}

export const PCR_COUNT = 24;
const MAX_BANKS = 4;

/** @throws `wire.too_large` for more than four banks, `wire.duplicate`, `wire.unsupported` for a bank we do not hash with */
export function readPcrSelections(reader: ByteReader): readonly PcrSelection[] {
  const count = reader.u32be('pcrSelect.count');
  if (count > MAX_BANKS) throw new HoldfastError('wire.too_large', { field: 'pcrSelect.count', limit: MAX_BANKS });
  const found: PcrSelection[] = [];
  for (let i = 0; i < count; i++) {
    const bank = tpmHashOf(reader.u16be('pcrSelect.hash'));
    if (bank === undefined) throw unsupported(reader, 'pcrSelect.hash');
    if (found.some((each) => each.bank === bank)) {
      throw new HoldfastError('wire.duplicate', { field: 'pcrSelect.hash', offset: reader.offset });
    }
    found.push({ bank, pcrs: readBitmap(reader) });
  }
  return found;
}

export function writePcrSelections(writer: ByteWriter, selections: readonly PcrSelection[]): ByteWriter {
  writer.u32be(selections.length);
  for (const { bank, pcrs } of selections) {
    writer.u16be(TPM_HASHES[bank].id).u8(PCR_COUNT / 8);
    for (let at = 0; at < PCR_COUNT; at += 8) {
      writer.u8(pcrs.reduce((bits, pcr) => (pcr >= at && pcr < at + 8 ? bits | (1 << (pcr - at)) : bits), 0));
    }
  }
  return writer;
}

function readBitmap(reader: ByteReader): readonly number[] {
  const length = reader.u8('pcrSelect.size');
  // TPM 2.0 part 2, 10.6.2: at least the 24 registers of a PC client; we know no more of them.
  if (length !== PCR_COUNT / 8) throw malformed(reader, 'pcrSelect.size');
  const bitmap = reader.take(length, 'pcrSelect.bitmap');
  const pcrs: number[] = [];
  for (let pcr = 0; pcr < PCR_COUNT; pcr++) if (((bitmap[pcr >> 3] ?? 0) >> (pcr & 7)) & 1) pcrs.push(pcr);
  return pcrs;
}
