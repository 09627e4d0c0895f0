import { HoldfastError } from '@holdfast/kernel';
import type { ProvisioningRule } from '../ports/index.ts';
import { refusedBy, type TemplateRefusal } from './template-plan.ts';

const MAX_SERIALS = 100_000;
const MAX_DEVICES = 1_000_000;
const MAX_PATTERNS = 32;
const MAX_PATTERN = 256;
const MAX_VALUE = 256;
const PARAMETER = /^[\w:.-]{1,128}$/;
/** Repeats without an end that one pattern may have: two of them try a value of 256 characters 65,536 ways at most. */
const MAX_REPEATS = 2;

/**
 * Keeps rules cheap to ask whatever a device sends.
 *
 * @throws `request.invalid` naming the member that cannot be a rule
 */
export function checkRule(rule: ProvisioningRule): ProvisioningRule {
  const { serials, parameters = {}, maxDevices } = rule;
  if (serials !== undefined && (serials.length === 0 || serials.length > MAX_SERIALS)) throw wrong('serials');
  if (maxDevices !== undefined && !(Number.isInteger(maxDevices) && maxDevices >= 1 && maxDevices <= MAX_DEVICES)) {
    throw wrong('maxDevices');
  }
  const patterns = Object.entries(parameters);
  if (patterns.length > MAX_PATTERNS) throw wrong('parameters');
  for (const [name, pattern] of patterns) {
    if (!PARAMETER.test(name) || !isCheapPattern(pattern)) throw wrong('parameters');
  }
  return rule;
}

/** The first rule that a registration breaks; undefined when it keeps them all. */
export function brokenRule(
  rule: ProvisioningRule | undefined,
  asked: {
    readonly parameters: Readonly<Record<string, string>>;
    readonly serialNumber: string;
    readonly used: number;
  },
): TemplateRefusal | undefined {
  const { serials, parameters = {}, maxDevices } = rule ?? {};
  if (serials !== undefined && !serials.includes(asked.serialNumber)) return refusedBy('rule-serials');
  const isKept = Object.entries(parameters).every(([name, pattern]) => matches(pattern, asked.parameters, name));
  if (!isKept) return refusedBy('rule-parameters');
  return maxDevices !== undefined && asked.used >= maxDevices ? refusedBy('template-within-count') : undefined;
}

function matches(pattern: string, parameters: Readonly<Record<string, string>>, name: string): boolean {
  const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  return value !== undefined && value.length <= MAX_VALUE && wholeOf(pattern).test(value);
}

const wholeOf = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`, 'u');

/** No group is repeated, nothing looks around or back: backtracking stays polynomial, and of a low degree. */
function isCheapPattern(pattern: string): boolean {
  if (pattern.length > MAX_PATTERN || /\\[1-9k]|\(\?(?!:)|\)[*+?{]/.test(pattern)) return false;
  // Inside brackets a sign of repetition is a character.
  const bare = pattern.replaceAll(/\\./gu, '').replaceAll(/\[[^\]]*\]/gu, '');
  if ((bare.match(/[*+]|\{\d*,\d*\}/gu) ?? []).length > MAX_REPEATS) return false;
  try {
    wholeOf(pattern);
    return true;
  } catch {
    return false;
  }
}

const wrong = (field: string): HoldfastError => new HoldfastError('request.invalid', { field: `rule.${field}` });
