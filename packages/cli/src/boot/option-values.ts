import { HoldfastError } from '@holdfast/kernel';

/** Options as commander hands them over. */
export type Given = Readonly<Record<string, unknown>>;

/** A text option, or undefined when it was not given. */
export function text(given: Given, name: string): string | undefined {
  const value = given[name];
  return typeof value === 'string' ? value : undefined;
}

/** @throws `boot.bad_option` when the option was not given */
export function required(given: Given, name: string, flag: string): string {
  const value = text(given, name);
  if (value === undefined) throw new HoldfastError('boot.bad_option', { option: flag, reason: 'missing' });
  return value;
}

/** The values of an option that may be given several times. */
export function many(given: Given, name: string): readonly string[] {
  const value = given[name];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

const NUMBER = /^(?:[0-9]{1,15}|0[xX][0-9a-fA-F]{1,12})$/;

/** A whole number, decimal or after 0x. @throws `boot.bad_option` */
export function numberOf(value: string, flag: string): number {
  if (!NUMBER.test(value)) throw new HoldfastError('boot.bad_option', { option: flag });
  return Number(value);
}

/** A whole number, or undefined when the option was not given. @throws `boot.bad_option` */
export function optionalNumber(given: Given, name: string, flag: string): number | undefined {
  const value = text(given, name);
  return value === undefined ? undefined : numberOf(value, flag);
}

/** @throws `boot.bad_option` when the value is none of the allowed */
export function choice<const Allowed extends string>(
  value: string,
  allowed: readonly Allowed[],
  flag: string,
): Allowed {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new HoldfastError('boot.bad_option', { option: flag, allowed: allowed.join(' ') });
  return found;
}

/** Collects an option that may be given several times, for commander. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
