import { HoldfastError } from '@holdfast/kernel';

interface TimeElement {
  readonly content: Uint8Array;
  readonly offset: number;
}

/** UTCTime as DER has it, YYMMDDHHMMSSZ, years 1950-2049 (RFC 5280 4.1.2.5.1). Milliseconds since the Unix epoch. */
export function decodeUtcTime({ content, offset }: TimeElement, field: string): number {
  const digits = digitsOf(content, 12, field, offset);
  const year = Number(digits.slice(0, 2));
  return instant(year < 50 ? 2000 + year : 1900 + year, digits.slice(2), { field, offset });
}

/** GeneralizedTime as RFC 5280 4.1.2.5.2 has it, YYYYMMDDHHMMSSZ. Milliseconds since the Unix epoch. */
export function decodeGeneralizedTime({ content, offset }: TimeElement, field: string): number {
  const digits = digitsOf(content, 14, field, offset);
  return instant(Number(digits.slice(0, 4)), digits.slice(4), { field, offset });
}

/** YYYYMMDDHHMMSS of an instant, cut to the second. @throws `wire.malformed` outside the years 0-9999. */
export function timeDigits(at: number): string {
  const date = new Date(at);
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) throw new HoldfastError('wire.malformed', { field: 'time', reason: 'year' });
  return date.toISOString().slice(0, 19).replace(/\D/g, '');
}

function digitsOf(content: Uint8Array, count: number, field: string, offset: number): string {
  const text = String.fromCharCode(...content.subarray(0, count + 2));
  if (text.length !== count + 1 || !/^\d+Z$/.test(text)) {
    throw new HoldfastError('wire.malformed', { field, offset, reason: 'time' });
  }
  return text;
}

/** `rest` is MMDDHHMMSSZ. */
function instant(year: number, rest: string, where: { field: string; offset: number }): number {
  const part = (index: number) => Number(rest.slice(2 * index, 2 * index + 2));
  const date = new Date(0);
  date.setUTCFullYear(year, part(0) - 1, part(1));
  date.setUTCHours(part(2), part(3), part(4), 0);
  const expected = `${String(year).padStart(4, '0')}${rest.slice(0, 10)}`;
  // A day or second that does not exist rolls over and so comes back different.
  if (timeDigits(date.getTime()) !== expected) throw new HoldfastError('wire.malformed', { ...where, reason: 'time' });
  return date.getTime();
}
