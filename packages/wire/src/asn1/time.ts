import { HoldfastError } from '@holdfast/kernel';

interface TimeElement {
  readonly content: Uint8Array;
  readonly offset: number;
}

/** UTCTime as DER has it, YYMMDDHHMMSSZ, years 1950-2049 (RFC 5280 4.1.2.5.1). Milliseconds since the Unix epoch. */
export function decodeUtcTime(element: TimeElement, field: string): number {
  const [year = 0, ...rest] = pairsOf(element, 6, field);
  return instant(year < 50 ? 2000 + year : 1900 + year, rest, element, field);
}

/** GeneralizedTime as RFC 5280 4.1.2.5.2 has it, YYYYMMDDHHMMSSZ. Milliseconds since the Unix epoch. */
export function decodeGeneralizedTime(element: TimeElement, field: string): number {
  const [century = 0, year = 0, ...rest] = pairsOf(element, 7, field);
  return instant(100 * century + year, rest, element, field);
}

/** YYYYMMDDHHMMSS of an instant, cut to the second. @throws `wire.malformed` outside the years 0-9999. */
export function timeDigits(at: number): string {
  const date = new Date(at);
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) throw new HoldfastError('wire.malformed', { field: 'time', reason: 'year' });
  return date.toISOString().slice(0, 19).replace(/\D/g, '');
}

const ZERO = 0x30;
const Z = 0x5a;

/** The two-digit numbers of a time that ends in Z, read without text since a CRL holds one for each entry. */
function pairsOf({ content, offset }: TimeElement, count: number, field: string): number[] {
  const pairs: number[] = [];
  for (let at = 0; at < 2 * count; at += 2) {
    const [tens, ones] = [(content[at] ?? 0) - ZERO, (content[at + 1] ?? 0) - ZERO];
    if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw malformed(field, offset);
    pairs.push(10 * tens + ones);
  }
  if (content.length !== 2 * count + 1 || content[2 * count] !== Z) throw malformed(field, offset);
  return pairs;
}

/** `rest` is month, day, hour, minute, second. */
function instant(year: number, rest: readonly number[], { offset }: TimeElement, field: string): number {
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = rest;
  const isReal =
    month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month) && hour < 24 && minute < 60 && second < 60;
  if (!isReal) throw malformed(field, offset);
  // Date.UTC takes years below 100 for the twentieth century's; four centuries are always 146,097 days.
  return Date.UTC(year + 400, month - 1, day, hour, minute, second) - 146_097 * 86_400_000;
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

function malformed(field: string, offset: number): HoldfastError {
  return new HoldfastError('wire.malformed', { field, offset, reason: 'time' });
}
