import { decodeBase64, encodeBase64, HoldfastError } from '@holdfast/kernel';

/** A tree head (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** Names the log: a URL without scheme, by advice. */
  readonly origin: string;
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly extensions: readonly string[];
}

/** The text a log signs. */
export function encodeCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  return [origin, size.toString(), encodeBase64(root), ...extensions, ''].join('\n');
}

/** @throws `wire.malformed` for an empty line, a size with leading zeros or over 2^64-1, a root that is not 32 octets. */
export function decodeCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', ...rest] = text.split('\n');
  const extensions = rest.slice(0, -1);
  const isBad = rest.at(-1) !== '' || origin === '' || extensions.includes('') || !/^(0|[1-9]\d{0,19})$/.test(size);
  if (isBad || BigInt(size) > 0xffffffffffffffffn) throw new HoldfastError('wire.malformed', { field: 'checkpoint' });
  const hash = decodeBase64(root, 'checkpoint root');
  if (hash.length !== 32) throw new HoldfastError('wire.malformed', { field: 'checkpoint root' });
  return { origin, size: BigInt(size), root: hash, extensions };
}
