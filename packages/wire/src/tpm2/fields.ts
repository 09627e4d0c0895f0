import { type ByteReader, type ByteWriter, HoldfastError } from '@holdfast/kernel';

/** A TPM2B: two octets of length, then as many bytes. @throws `wire.too_large` above `limit` */
export function readSized(reader: ByteReader, field: string, limit: number): Uint8Array {
  const length = reader.u16be(field);
  if (length > limit) throw new HoldfastError('wire.too_large', { field, limit, offset: reader.offset });
  return reader.take(length, field);
}

export function writeSized(writer: ByteWriter, bytes: Uint8Array): ByteWriter {
  return writer.u16be(bytes.length).bytes(bytes);
}

export function malformed(reader: ByteReader, field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field, offset: reader.offset });
}

export function unsupported(reader: ByteReader, field: string): HoldfastError {
  return new HoldfastError('wire.unsupported', { field, offset: reader.offset });
}
