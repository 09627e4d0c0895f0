import type { ByteReader, ByteWriter } from '@holdfast/kernel';
import { malformed } from './faults.ts';
import { MAX_VARINT } from './packet-types.ts';

/**
 * Reads a Variable Byte Integer in its shortest form.
 *
 * @throws `communication.mqtt_malformed` for a fifth byte or a longer form than needed [MQTT-1.5.5-1].
 * @see MQTT 5, 1.5.5
 */
export function readVarint(reader: ByteReader, field: string): number {
  let value = 0;
  for (let index = 0, scale = 1; index < 4; index++, scale *= 128) {
    const byte = reader.u8(field);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (byte === 0 && index > 0) throw malformed(field, { reason: 'not minimal' });
      return value;
    }
  }
  throw malformed(field, { reason: 'too long' });
}

export function writeVarint(writer: ByteWriter, value: number, field: string): void {
  if (!(value >= 0 && value <= MAX_VARINT)) throw malformed(field, { value, limit: MAX_VARINT });
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) writer.u8((rest % 128) | 0x80);
  writer.u8(rest);
}

/** How many bytes the Variable Byte Integer of `value` takes. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  return value < 0x20_0000 ? 3 : 4;
}
