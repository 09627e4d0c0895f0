import { type ByteReader, type ByteWriter, decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { malformed } from './faults.ts';
import { MAX_FIELD_BYTES } from './packet-types.ts';

/**
 * Control characters and Unicode non-characters (MQTT 5, 1.5.4: a receiver may refuse them). Refused in names that
 * reach topics, logs and policies; tolerated in free text such as user properties.
 */
const UNFIT_FOR_NAMES = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;

/** The characters from `start` to `end` when all are printable ASCII, else undefined. */
function printableAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = '';
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte > 0x7e) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/**
 * A UTF-8 string without its length prefix: well-formed, without U+0000 (MQTT 5, 1.5.4).
 *
 * @throws `communication.mqtt_malformed`
 */
function decodeText(bytes: Uint8Array, field: string): string {
  const ascii = printableAscii(bytes, 0, bytes.length);
  if (ascii !== undefined) return ascii;
  try {
    const text = decodeUtf8(bytes, field);
    if (!text.includes('\0')) return text;
  } catch (error) {
    if (!HoldfastError.is(error, 'wire.malformed')) throw error;
  }
  throw malformed(field, { reason: 'utf-8' });
}

/**
 * A UTF-8 string that is a name (topic, filter, client id, user name): as text, and without control characters and
 * non-characters.
 *
 * @throws `communication.mqtt_malformed`
 */
export function decodeName(bytes: Uint8Array, field: string): string {
  const text = decodeText(bytes, field);
  if (UNFIT_FOR_NAMES.test(text)) throw malformed(field, { reason: 'character' });
  return text;
}

/** Whether text obeys the rules of names. Lone surrogates cannot be encoded and are refused. */
export function isName(text: string): boolean {
  return text.isWellFormed() && !UNFIT_FOR_NAMES.test(text);
}

export function readBinary(reader: ByteReader, field: string): Uint8Array {
  return reader.take(reader.u16be(field), field);
}

export function readText(reader: ByteReader, field: string): string {
  return decodeText(readBinary(reader, field), field);
}

export function readName(reader: ByteReader, field: string): string {
  return decodeName(readBinary(reader, field), field);
}

/** @throws `communication.mqtt_malformed` when the bytes do not fit a two-byte length. */
export function writeBinary(writer: ByteWriter, bytes: Uint8Array, field: string): void {
  if (bytes.length > MAX_FIELD_BYTES) throw malformed(field, { length: bytes.length, limit: MAX_FIELD_BYTES });
  writer.u16be(bytes.length).bytes(bytes);
}

/** @throws `communication.mqtt_malformed` when the text cannot travel: U+0000, a lone surrogate, over 65,535 bytes. */
export function writeText(writer: ByteWriter, text: string, field: string): void {
  if (text.includes('\0') || !text.isWellFormed()) throw malformed(field, { reason: 'utf-8' });
  writeBinary(writer, encodeUtf8(text), field);
}
