/** What a Range field asks of a representation of a known size. */
export type RangeAnswer =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'unsatisfiable' };

const BYTE_RANGE = /^bytes=(?:([0-9]{1,15})-([0-9]{1,15})?|-([0-9]{1,15}))$/;

/**
 * Reads a Range field. One range is served; several, or what cannot be read, is answered whole, as RFC 9110 14.2 lets
 * a server ignore the field. `end` is exclusive.
 *
 * @see RFC 9110 sections 14.1.2 and 14.2
 */
export function readByteRange(field: string | undefined, size: number): RangeAnswer {
  const parts = field === undefined ? null : BYTE_RANGE.exec(field.trim());
  if (parts === null) return { kind: 'whole' };
  const [, first, last, suffix] = parts;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    return length === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === undefined ? size : Math.min(Number(last) + 1, size);
  if (last !== undefined && Number(last) < start) return { kind: 'whole' };
  return start >= size ? { kind: 'unsatisfiable' } : { kind: 'part', start, end };
}
