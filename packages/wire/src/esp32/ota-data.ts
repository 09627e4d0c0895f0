import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';
import { crc32 } from './crc32.ts';

/** How far a selected application has come, by the number the bootloader writes. */
const STATES: ReadonlyMap<number, EspOtaState> = new Map([
  [0, 'new'],
  [1, 'pending-verify'],
  [2, 'valid'],
  [3, 'invalid'],
  [4, 'aborted'],
  [0xffffffff, 'undefined'],
]);
export type EspOtaState = 'new' | 'pending-verify' | 'valid' | 'invalid' | 'aborted' | 'undefined';

/** One of the two records that select the application to start. */
export interface EspOtaRecord {
  /** Grows with every selection; slot = (sequence - 1) modulo the number of slots. */
  readonly sequence: number;
  readonly state: EspOtaState;
}

export const OTA_DATA_LENGTH = 0x2000;
const SECTOR = 0x1000;
const LABEL_LENGTH = 20;
const CRC_START = 0;
const ERASED = 0xffffffff;

/**
 * Decodes both records of an OTA data partition; one that is erased or was cut while it was written is undefined, as the
 * bootloader takes it.
 *
 * @throws `wire.truncated`, `wire.trailing_bytes`
 * @see ESP-IDF components/bootloader_support/include/esp_flash_partitions.h, esp_ota_select_entry_t
 */
export function decodeEspOtaData(bytes: Uint8Array): readonly [EspOtaRecord | undefined, EspOtaRecord | undefined] {
  const reader = new ByteReader(bytes);
  const records = [
    readRecord(reader.take(SECTOR, 'first sector')),
    readRecord(reader.take(SECTOR, 'second sector')),
  ] as const;
  reader.end('OTA data');
  return records;
}

function readRecord(sector: Uint8Array): EspOtaRecord | undefined {
  const reader = new ByteReader(sector);
  const sequence = reader.u32le('ota_seq');
  reader.skip(LABEL_LENGTH, 'label');
  const state = STATES.get(reader.u32le('state'));
  // The checksum covers the sequence alone, so that the state may change in place.
  const isWhole = reader.u32le('crc') === crc32(sector.subarray(0, 4), CRC_START);
  return isWhole && state !== undefined && sequence !== ERASED && sequence !== 0 ? { sequence, state } : undefined;
}

/** Both sectors of a partition. @throws `boot.bad_option` for a sequence outside 1 to 2^32 - 2 */
export function encodeEspOtaData(
  records: readonly [EspOtaRecord | undefined, EspOtaRecord | undefined],
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(OTA_DATA_LENGTH).fill(0xff);
  for (const [index, record] of records.entries()) {
    if (record === undefined) continue;
    const { sequence, state } = record;
    if (!Number.isInteger(sequence) || sequence < 1 || sequence >= ERASED)
      throw new HoldfastError('boot.bad_option', { option: 'sequence' });
    const number = [...STATES].find(([, name]) => name === state)?.[0] ?? ERASED;
    const writer = new ByteWriter(32).u32le(sequence).fill(0xff, LABEL_LENGTH).u32le(number);
    writer.u32le(crc32(whole32(sequence), CRC_START));
    whole.set(writer.finish(), index * SECTOR);
  }
  return whole;
}

/**
 * The slot that the bootloader starts: of the record with the higher sequence among those not given up.
 *
 * @returns undefined when it starts the factory application.
 */
export function selectedOtaSlot(
  records: readonly [EspOtaRecord | undefined, EspOtaRecord | undefined],
  slots: number,
): number | undefined {
  const usable = records.flatMap((record) =>
    record === undefined || record.state === 'invalid' || record.state === 'aborted' ? [] : [record.sequence],
  );
  return usable.length === 0 || slots === 0 ? undefined : (Math.max(...usable) - 1) % slots;
}

function whole32(value: number): Uint8Array {
  return new ByteWriter(4).u32le(value).finish();
}
