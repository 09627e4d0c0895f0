import type { PolicyAction } from './actions.ts';
import { type BoundCondition, bindCondition } from './conditions.ts';
import { compileMatcher, fillPattern, type Matcher } from './pattern.ts';
import type { PolicyContext, PolicyRequest } from './policy-context.ts';
import type { PolicyDocument, PolicyStatement } from './policy-document.ts';
import { resolveVariable } from './variables.ts';

export interface NamedPolicy {
  readonly name: string;
  readonly document: PolicyDocument;
}

/** Points at the statement that decided. */
export interface StatementRef {
  readonly policy: string;
  /** Position in the document, from 0. */
  readonly index: number;
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
}

/** All must allow: the standing of the identity, what it was granted, and what its posture leaves of that. */
export type PolicyLayer = 'identity' | 'granted' | 'posture';

export type Decision =
  | { readonly kind: 'allow'; readonly by: StatementRef }
  /** `by` is undefined when no statement of the layer speaks of it. */
  | { readonly kind: 'deny'; readonly layer: PolicyLayer; readonly by: StatementRef | undefined };

interface Rule {
  readonly ref: StatementRef;
  readonly matchers: readonly Matcher[];
  readonly conditions: readonly BoundCondition[];
}

interface Layer {
  readonly name: PolicyLayer;
  /** Deny rules first. */
  readonly rules: ReadonlyMap<PolicyAction, readonly Rule[]>;
}

/** Decisions kept for each action of a connection; with 10,000 connections this stays under 100 MiB. */
const MAX_KEPT_DECISIONS = 64;
/** Of a full action every so many new decisions one is kept: a round over more topics than fit would find none of them. */
const KEEP_EVERY = 16;

/** All policies of one connection, with its variables filled in. Deny wins, silence denies. */
export class CompiledPolicy {
  readonly #layers: readonly Layer[];
  readonly #kept = new Map<PolicyAction, Map<string, Decision>>();
  #unkept = 0;

  /** @param boundary - when given, whatever it does not allow is denied, whatever was granted. */
  constructor(granted: readonly NamedPolicy[], boundary: readonly NamedPolicy[] | undefined, context: PolicyContext) {
    const layers = [compileLayer('granted', granted, context)];
    if (boundary !== undefined) layers.unshift(compileLayer('posture', boundary, context));
    this.#layers = layers;
  }

  /** @param resource - `type/name`, as `resourceName` makes it. */
  decide(action: PolicyAction, resource: string, request: PolicyRequest): Decision {
    const kept = this.#kept.get(action);
    const known = kept?.get(resource);
    if (known !== undefined) return known;
    const { decision, volatile } = this.#judge(action, resource, request);
    if (!volatile) this.#keep(action, resource, decision);
    return decision;
  }

  #judge(action: PolicyAction, resource: string, request: PolicyRequest): { decision: Decision; volatile: boolean } {
    let volatile = false;
    let allowedBy: StatementRef | undefined;
    for (const layer of this.#layers) {
      const verdict = judgeLayer(layer.rules.get(action) ?? [], resource, request);
      volatile ||= verdict.volatile;
      if (verdict.by?.effect !== 'Allow') {
        return { decision: { kind: 'deny', layer: layer.name, by: verdict.by }, volatile };
      }
      allowedBy = verdict.by;
    }
    if (allowedBy === undefined) return { decision: { kind: 'deny', layer: 'granted', by: undefined }, volatile };
    return { decision: { kind: 'allow', by: allowedBy }, volatile };
  }

  #keep(action: PolicyAction, resource: string, decision: Decision): void {
    let kept = this.#kept.get(action);
    if (kept === undefined) {
      kept = new Map();
      this.#kept.set(action, kept);
    }
    if (kept.size >= MAX_KEPT_DECISIONS) {
      if (++this.#unkept % KEEP_EVERY !== 0) return;
      dropOldest(kept);
    }
    kept.set(resource, decision);
  }
}

function dropOldest(kept: Map<string, Decision>): void {
  for (const oldest of kept.keys()) {
    kept.delete(oldest);
    return;
  }
}

function judgeLayer(
  rules: readonly Rule[],
  resource: string,
  request: PolicyRequest,
): { readonly by: StatementRef | undefined; readonly volatile: boolean } {
  let volatile = false;
  for (const rule of rules) {
    if (!rule.matchers.some((matches) => matches(resource))) continue;
    volatile ||= rule.conditions.some((condition) => condition.volatile);
    if (rule.conditions.every((condition) => condition.holds(request))) return { by: rule.ref, volatile };
  }
  return { by: undefined, volatile };
}

function compileLayer(name: PolicyLayer, policies: readonly NamedPolicy[], context: PolicyContext): Layer {
  const rules = new Map<PolicyAction, Rule[]>();
  for (const effect of ['Deny', 'Allow'] as const) {
    for (const policy of policies) {
      policy.document.statements.forEach((statement, index) => {
        if (statement.effect !== effect) return;
        const rule = compileRule(statement, { policy: policy.name, index, sid: statement.sid, effect }, context);
        if (rule === undefined) return;
        for (const action of statement.actions) rules.set(action, [...(rules.get(action) ?? []), rule]);
      });
    }
  }
  return { name, rules };
}

/** Undefined when the statement can never apply to this connection. */
function compileRule(statement: PolicyStatement, ref: StatementRef, context: PolicyContext): Rule | undefined {
  const bound = statement.conditions.map((condition) => bindCondition(condition, context, statement.effect));
  const settled = bound.filter((condition) => !condition.volatile);
  if (!settled.every((condition) => condition.holds({ now: 0 }))) return undefined;
  const matchers: Matcher[] = [];
  for (const resource of statement.resources) {
    const valueOf = (variable: string) => resolveVariable(variable, context);
    const filled = fillPattern(resource, valueOf, statement.effect === 'Deny' ? 'widen' : 'drop');
    if (filled !== undefined) matchers.push(compileMatcher(filled));
  }
  if (matchers.length === 0) return undefined;
  return { ref, matchers, conditions: bound.filter((condition) => condition.volatile) };
}
