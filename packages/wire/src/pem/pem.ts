import { decodeBase64, decodeUtf8, encodeBase64, HoldfastError } from '@holdfast/kernel';

const LINE = 64;
const MAX_INPUT = 16 * 1024 * 1024;
const LABEL = /^[\x21-\x2c\x2e-\x7e](?:[- ]?[\x21-\x2c\x2e-\x7e])*$/;

export interface PemBlock {
  readonly label: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One block in the strict form of RFC 7468: lines of 64, LF after each. @throws `wire.malformed` for a bad label. */
export function encodePem(label: string, bytes: Uint8Array): string {
  if (!LABEL.test(label)) throw new HoldfastError('wire.malformed', { field: 'pem label' });
  const base64 = encodeBase64(bytes);
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += LINE) lines.push(base64.slice(at, at + LINE));
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/**
 * Every block of a text, in order. Text between blocks is skipped, as RFC 7468 section 2 allows.
 *
 * @throws `wire.malformed` for a boundary out of place, labels that differ, headers inside a block, or bad base64.
 * @throws `wire.too_large` over 16 MiB.
 */
export function decodePemBlocks(input: string | Uint8Array): PemBlock[] {
  if (input.length > MAX_INPUT) throw new HoldfastError('wire.too_large', { field: 'pem', limit: MAX_INPUT });
  const text = typeof input === 'string' ? input : decodeUtf8(input, 'pem');
  const blocks: PemBlock[] = [];
  let open: { label: string; lines: string[] } | undefined;
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    const trimmed = line.replace(/[ \t]+$/, '');
    const boundary = /^-----(BEGIN|END) (.*)-----$/.exec(trimmed);
    if (boundary === null) {
      if (open !== undefined) open.lines.push(trimmed);
      else if (trimmed.startsWith('-----')) throw malformed(index);
      continue;
    }
    const [, kind, label = ''] = boundary;
    if ((kind === 'BEGIN') !== (open === undefined)) throw malformed(index);
    if (open === undefined) {
      if (!LABEL.test(label)) throw malformed(index);
      open = { label, lines: [] };
    } else {
      if (label !== open.label) throw malformed(index);
      blocks.push({ label, bytes: decodeBase64(open.lines.join(''), 'pem') });
      open = undefined;
    }
  }
  if (open !== undefined) throw new HoldfastError('wire.truncated', { field: 'pem' });
  return blocks;
}

/**
 * The bytes of the only block of a text.
 *
 * @throws `wire.malformed` when there is none or its label is another; `wire.duplicate` when there are several.
 */
export function decodePem(input: string | Uint8Array, label: string): Uint8Array<ArrayBuffer> {
  const [block, ...others] = decodePemBlocks(input);
  if (others.length > 0) throw new HoldfastError('wire.duplicate', { field: 'pem block' });
  if (block === undefined || block.label !== label) throw new HoldfastError('wire.malformed', { field: 'pem label' });
  return block.bytes;
}

function malformed(index: number): HoldfastError {
  return new HoldfastError('wire.malformed', { field: 'pem', line: index + 1 });
}
