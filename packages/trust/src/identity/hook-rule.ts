import { HoldfastError } from '@holdfast/kernel';
import type { ProvisioningRule } from '../ports/index.ts';
import { refusedBy, type TemplateRefusal } from './template-plan.ts';

const MAX_SERIALS = 100_000;
const MAX_DEVICES = 1_000_000;
const MAX_PATTERNS = 32;
const MAX_PATTERN = 256;
const MAX_VALUE = 256;
const PARAMETER = /^[\w:.-]{1,128}$/;
/** Ways a value may be tried against one pattern at most. */
const MAX_WAYS = 2 ** 20;

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

/** No group is repeated, nothing looks around or back: backtracking ends after so many ways as can be counted. */
function isCheapPattern(pattern: string): boolean {
  if (pattern.length > MAX_PATTERN || /\\[1-9k]|\(\?(?!:)|\)[*+{]/.test(pattern)) return false;
  if (waysThrough(pattern) > MAX_WAYS) return false;
  try {
    wholeOf(pattern);
    return true;
  } catch {
    return false;
  }
}

/** A repeat ends anywhere in the value, what is optional is there or not, a group is any of its alternatives. */
function waysThrough(pattern: string): number {
  // Inside brackets a sign of repetition is a character.
  const bare = pattern
    .replaceAll(/\\./gu, '')
    .replaceAll(/\[[^\]]*\]/gu, '')
    .replaceAll('(?:', '(');
  const repeats = bare.match(/[*+]|\{\d*,\d*\}/gu)?.length ?? 0;
  const options = bare.match(/\?/gu)?.length ?? 0;
  const groups = [1];
  let alternatives = 1;
  for (const sign of bare) {
    if (sign === '(') groups.push(1);
    else if (sign === '|') groups.push((groups.pop() ?? 1) + 1);
    else if (sign === ')') alternatives *= groups.pop() ?? 1;
  }
  return MAX_VALUE ** repeats * 2 ** options * alternatives * (groups.pop() ?? 1);
}

const wrong = (field: string): HoldfastError => new HoldfastError('request.invalid', { field: `rule.${field}` });
