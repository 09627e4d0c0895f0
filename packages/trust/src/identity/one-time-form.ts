import type { Random } from '@holdfast/kernel';

/** Crockford's alphabet: nothing on a label is mistaken for something else. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const SYMBOLS = 24;
const GROUP = 6;
const MAX_TYPED = 64;

/** 24 symbols of five bits in groups of six. */
export function newPassword(random: Random): string {
  const symbols = Array.from(random.bytes(SYMBOLS), (byte) => ALPHABET[byte % ALPHABET.length] ?? '');
  const groups = Array.from({ length: SYMBOLS / GROUP }, (_, at) =>
    symbols.slice(at * GROUP, (at + 1) * GROUP).join(''),
  );
  return groups.join('-');
}

/** What was meant by what was typed: case, hyphens and spaces do not matter, o is 0, i and l are 1. */
export function plainPassword(typed: string): string {
  if (typed.length > MAX_TYPED) return '';
  return typed.toLowerCase().replace(/[\s-]/g, '').replace(/o/g, '0').replace(/[il]/g, '1');
}
