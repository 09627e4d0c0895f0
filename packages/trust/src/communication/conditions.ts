import { HoldfastError, isJsonObject, type JsonValue } from '@holdfast/kernel';
import { type ConditionKey, conditionKey } from './condition-keys.ts';
import { OPERATORS, type Wanted } from './condition-operators.ts';
import type { Matcher } from './pattern.ts';
import type { PolicyContext, PolicyRequest } from './policy-context.ts';
import type { ArnScope } from './resource.ts';
import { resolveVariable } from './variables.ts';

type Quantifier = 'single' | 'all' | 'any';

/** One operator over one key: a statement applies only when all of its conditions hold. */
export interface Condition {
  readonly key: ConditionKey;
  readonly quantifier: Quantifier;
  readonly negated: boolean;
  readonly wanted: readonly Wanted[];
}

/** A condition with the connection's values in place. */
export interface BoundCondition {
  /** True when the answer may differ from one question to the next. */
  readonly volatile: boolean;
  readonly holds: (request: PolicyRequest) => boolean;
}

/**
 * Reads a Condition block.
 *
 * @throws `communication.policy_invalid` for an unknown operator or key, an operator of another family than its key,
 * or a value the operator cannot take.
 */
export function parseConditions(block: JsonValue | undefined, field: string, scope: ArnScope): readonly Condition[] {
  if (block === undefined) return [];
  if (!isJsonObject(block)) throw invalid(field, 'not an object');
  return Object.entries(block).flatMap(([word, keys]) => {
    if (!isJsonObject(keys)) throw invalid(field, 'not an object');
    return Object.entries(keys).map(([name, values]) => parseCondition({ word, name, values, field, scope }));
  });
}

function parseCondition(from: {
  readonly word: string;
  readonly name: string;
  readonly values: JsonValue;
  readonly field: string;
  readonly scope: ArnScope;
}): Condition {
  const { field, scope } = from;
  const [, prefix, operatorName = ''] = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+)$/.exec(from.word) ?? [];
  const operator = Object.hasOwn(OPERATORS, operatorName) ? OPERATORS[operatorName] : undefined;
  if (operator === undefined) throw invalid(field, 'no such operator');
  const key = conditionKey(from.name);
  if (key === undefined) throw invalid(field, 'no such key');
  if (operator.family !== key.family) throw invalid(field, 'operator and key do not fit');
  const quantifier = prefix === undefined ? 'single' : prefix === 'ForAllValues' ? 'all' : 'any';
  if (key.list && quantifier === 'single') throw invalid(field, 'a list needs ForAllValues or ForAnyValue');
  const values = Array.isArray(from.values) ? (from.values as readonly JsonValue[]) : [from.values];
  // "No attribute at all" is something a policy says with an empty list, but only of a list.
  if (values.length === 0 && quantifier !== 'all') throw invalid(field, 'no value');
  const wanted = values.map((value) => operator.want(textOf(value, field), field, scope));
  return { key, quantifier, negated: operator.negated, wanted };
}

function textOf(value: JsonValue, field: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  throw invalid(field, 'not a value');
}

/** Puts a connection's values into a condition; where a wanted value cannot be known, an Allow fails and a Deny applies. */
export function bindCondition(condition: Condition, context: PolicyContext, effect: 'Allow' | 'Deny'): BoundCondition {
  const { key, negated, quantifier } = condition;
  const matchers: Matcher[] = [];
  for (const wanted of condition.wanted) {
    const matcher = wanted((variable) => resolveVariable(variable, context));
    if (matcher === undefined) return { volatile: false, holds: () => effect === 'Deny' };
    matchers.push(matcher);
  }
  const satisfies = (value: string): boolean => matchers.some((matches) => matches(value)) !== negated;
  const judge = (values: readonly string[] | undefined): boolean => {
    if (quantifier === 'any') return values?.some(satisfies) ?? false;
    // IAM lets ForAllValues hold where the key is absent; for an Allow that would grant on ignorance.
    if (quantifier === 'all') return values?.every(satisfies) ?? effect === 'Deny';
    return values === undefined ? negated : values.every(satisfies);
  };
  if (key.volatile) return { volatile: true, holds: (request) => judge(key.values(context, request)) };
  const fixed = judge(key.values(context, { now: 0 }));
  return { volatile: false, holds: () => fixed };
}

function invalid(field: string, reason: string): HoldfastError {
  return new HoldfastError('communication.policy_invalid', { field, reason });
}
