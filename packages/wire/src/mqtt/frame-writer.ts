import { ByteWriter } from '@holdfast/kernel';
import { writeVarint } from './varint.ts';

/** A whole packet from its first byte and what follows the remaining length. */
export function encodeFrame(first: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(body.length + 5);
  writer.u8(first);
  writeVarint(writer, body.length, 'remaining length');
  return writer.bytes(body).finish();
}
