import { HoldfastError } from '@holdfast/kernel';
import type { KeyFamily } from './condition-keys.ts';
import { isInRange, parseIpRange } from './ip-range.ts';
import { compileMatcher, fillPattern, type Matcher, parsePattern } from './pattern.ts';
import { type ArnScope, parseResource } from './resource.ts';

/** A wanted value, checked when the policy is created and made a matcher once the variables of a connection are known. */
export type Wanted = (valueOf: (variable: string) => string | undefined) => Matcher | undefined;

export interface Operator {
  readonly family: KeyFamily;
  /** True for the `Not` twins: no wanted value may match. */
  readonly negated: boolean;
  /** @throws `communication.policy_invalid` when the text is no value of the family. */
  readonly want: (text: string, field: string, scope: ArnScope) => Wanted;
}

/** Every condition operator of the language; any other is refused when a policy is created. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  StringEquals: { family: 'string', negated: false, want: text(false) },
  StringNotEquals: { family: 'string', negated: true, want: text(false) },
  StringEqualsIgnoreCase: { family: 'string', negated: false, want: textIgnoringCase },
  StringNotEqualsIgnoreCase: { family: 'string', negated: true, want: textIgnoringCase },
  StringLike: { family: 'string', negated: false, want: text(true) },
  StringNotLike: { family: 'string', negated: true, want: text(true) },
  Bool: { family: 'bool', negated: false, want: bool },
  IpAddress: { family: 'address', negated: false, want: address },
  NotIpAddress: { family: 'address', negated: true, want: address },
  NumericEquals: { family: 'number', negated: false, want: number((a, b) => a === b) },
  NumericNotEquals: { family: 'number', negated: true, want: number((a, b) => a === b) },
  NumericLessThan: { family: 'number', negated: false, want: number((a, b) => a < b) },
  NumericLessThanEquals: { family: 'number', negated: false, want: number((a, b) => a <= b) },
  NumericGreaterThan: { family: 'number', negated: false, want: number((a, b) => a > b) },
  NumericGreaterThanEquals: { family: 'number', negated: false, want: number((a, b) => a >= b) },
  DateEquals: { family: 'date', negated: false, want: date((a, b) => a === b) },
  DateNotEquals: { family: 'date', negated: true, want: date((a, b) => a === b) },
  DateLessThan: { family: 'date', negated: false, want: date((a, b) => a < b) },
  DateLessThanEquals: { family: 'date', negated: false, want: date((a, b) => a <= b) },
  DateGreaterThan: { family: 'date', negated: false, want: date((a, b) => a > b) },
  DateGreaterThanEquals: { family: 'date', negated: false, want: date((a, b) => a >= b) },
  ArnEquals: { family: 'arn', negated: false, want: arn },
  ArnNotEquals: { family: 'arn', negated: true, want: arn },
  ArnLike: { family: 'arn', negated: false, want: arn },
  ArnNotLike: { family: 'arn', negated: true, want: arn },
};

type Comparison = (value: number, wanted: number) => boolean;

const DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/;

function text(wildcards: boolean): Operator['want'] {
  return (wanted, field) => {
    const parts = parsePattern(wanted, field, wildcards);
    return (valueOf) => {
      const filled = fillPattern(parts, valueOf, 'drop');
      return filled === undefined ? undefined : compileMatcher(filled);
    };
  };
}

function textIgnoringCase(wanted: string, field: string): Wanted {
  const parts = parsePattern(wanted, field, false);
  return (valueOf) => {
    const filled = fillPattern(parts, valueOf, 'drop');
    if (filled === undefined) return undefined;
    const folded = filled
      .map((part) => (part.kind === 'text' ? part.text : ''))
      .join('')
      .toLowerCase();
    return (value) => value.toLowerCase() === folded;
  };
}

function bool(wanted: string, field: string): Wanted {
  if (wanted !== 'true' && wanted !== 'false') throw invalid(field, 'not true or false');
  return always((value) => value === wanted);
}

function address(wanted: string, field: string): Wanted {
  const range = parseIpRange(wanted);
  if (range === undefined) throw invalid(field, 'not an address range');
  return always((value) => isInRange(value, range));
}

function number(compare: Comparison): Operator['want'] {
  return (wanted, field) => {
    if (!/^-?\d{1,15}(?:\.\d{1,9})?$/.test(wanted)) throw invalid(field, 'not a number');
    return always((value) => compare(Number(value), Number(wanted)));
  };
}

function date(compare: Comparison): Operator['want'] {
  return (wanted, field) => {
    const at = /^\d{1,13}$/.test(wanted) ? Number(wanted) * 1000 : DATE.test(wanted) ? Date.parse(wanted) : Number.NaN;
    if (Number.isNaN(at)) throw invalid(field, 'not a date in UTC');
    return always((value) => compare(Number(value), at));
  };
}

function arn(wanted: string, field: string, scope: ArnScope): Wanted {
  const parts = parseResource(wanted, field, scope);
  return (valueOf) => {
    const filled = fillPattern(parts, valueOf, 'drop');
    if (filled === undefined) return undefined;
    const matches = compileMatcher(filled);
    return (topic) => matches(`topic/${topic}`);
  };
}

function always(matches: Matcher): Wanted {
  return () => matches;
}

function invalid(field: string, reason: string): HoldfastError {
  return new HoldfastError('communication.policy_invalid', { field, reason });
}
