import { ByteReader, HoldfastError } from '@holdfast/kernel';
import type { McubootKeyRule } from './key-kinds.ts';

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * The one DER encoding `SEQUENCE { r INTEGER, s INTEGER }` of an ECDSA signature, minimal and without a byte more.
 *
 * Tools and boot codes skip bytes after it, so anyone could change them in a signed file.
 *
 * @param padded - accept the zeros up to the fixed length that MCUboot before 1.5 needed.
 * @returns the signature without such padding; a view.
 * @throws `boot.signature_encoding`
 */
export function strictEcdsaSignature(value: Uint8Array, rule: McubootKeyRule, padded = false): Uint8Array {
  const reader = new ByteReader(value);
  try {
    if (reader.u8('SEQUENCE') !== SEQUENCE) throw encodingError('SEQUENCE', 0);
    const end = reader.u8('length') + 2;
    if (end > 0x7f + 2 || end > value.length || end > (rule.derLimit ?? 0)) throw encodingError('length', 1);
    readPositive(reader, 'r');
    readPositive(reader, 's');
    if (reader.offset !== end) throw encodingError('length', 1);
    if (end !== value.length && !(padded && isLegacyPadding(value, end, rule)))
      throw encodingError('trailing bytes', end);
    return value.subarray(0, end);
  } catch (cause) {
    if (HoldfastError.is(cause, 'wire.truncated')) throw encodingError('length', reader.offset, cause);
    throw cause;
  }
}

function isLegacyPadding(value: Uint8Array, end: number, rule: McubootKeyRule): boolean {
  return value.length === rule.paddedLength && value.subarray(end).every((byte) => byte === 0);
}

function readPositive(reader: ByteReader, field: string): void {
  const offset = reader.offset;
  if (reader.u8(field) !== INTEGER) throw encodingError(field, offset);
  const number = reader.take(reader.u8(field), field);
  const [first = 0x80, second = 0x80] = number;
  const minimal = first !== 0 || (number.length > 1 && second >= 0x80);
  if (first >= 0x80 || !minimal) throw encodingError(field, offset);
}

function encodingError(field: string, offset: number, cause?: unknown): HoldfastError {
  return new HoldfastError('boot.signature_encoding', { field, offset }, { cause });
}
