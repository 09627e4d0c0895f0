import { HoldfastError, isJsonObject, type JsonValue, parseStrictJson } from '@holdfast/kernel';
import { actionsNamed, type PolicyAction } from './actions.ts';
import { type Condition, parseConditions } from './conditions.ts';
import type { PatternPart } from './pattern.ts';
import { type ArnScope, parseResource } from './resource.ts';

/** Most characters of a document, and most statements in one. */
export const POLICY_LIMITS = { maxCharacters: 10_240, maxStatements: 64, maxListEntries: 64 } as const;

export interface PolicyStatement {
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: ReadonlySet<PolicyAction>;
  readonly resources: readonly (readonly PatternPart[])[];
  readonly conditions: readonly Condition[];
}

/** A policy as it is enforced. No statement at all is a valid policy: it allows nothing. */
export interface PolicyDocument {
  readonly statements: readonly PolicyStatement[];
}

const DOCUMENT_MEMBERS = ['Version', 'Id', 'Statement'];
const STATEMENT_MEMBERS = ['Sid', 'Effect', 'Action', 'Resource', 'Condition'];

/**
 * Reads an AWS IoT policy document. Whatever it cannot enforce exactly (NotAction, NotResource, Principal, unknown
 * actions, operators, keys or variables, resources of another account, doubled keys) is refused rather than ignored.
 *
 * @throws `communication.policy_invalid` naming the member.
 * @see AWS IoT developer guide, iot-policies
 */
export function parsePolicyDocument(text: string, scope: ArnScope): PolicyDocument {
  if (text.length > POLICY_LIMITS.maxCharacters) throw invalid('document', 'too long');
  const document = membersOf(parseJson(text), 'document', DOCUMENT_MEMBERS);
  // The older version reads `${…}` as plain text: rights would differ from what is written.
  if (document['Version'] !== '2012-10-17') throw invalid('Version', 'not 2012-10-17');
  if (document['Id'] !== undefined && typeof document['Id'] !== 'string') throw invalid('Id', 'not text');
  const statement = document['Statement'];
  if (statement === undefined) throw invalid('Statement', 'missing');
  const statements = Array.isArray(statement) ? (statement as readonly JsonValue[]) : [statement];
  if (statements.length > POLICY_LIMITS.maxStatements) throw invalid('Statement', 'too many');
  return { statements: statements.map((each, index) => parseStatement(each, `Statement[${index}]`, scope)) };
}

function parseStatement(value: JsonValue, field: string, scope: ArnScope): PolicyStatement {
  const members = membersOf(value, field, STATEMENT_MEMBERS);
  const { Sid: sid, Effect: effect } = members;
  if (sid !== undefined && (typeof sid !== 'string' || !/^[a-zA-Z0-9 _-]{0,128}$/.test(sid))) {
    throw invalid(`${field}.Sid`, 'form');
  }
  if (effect !== 'Allow' && effect !== 'Deny') throw invalid(`${field}.Effect`, 'not Allow or Deny');
  const actions = textsOf(members['Action'], `${field}.Action`).flatMap((name) => {
    const named = actionsNamed(name);
    if (named.length === 0) throw invalid(`${field}.Action`, 'no such action');
    return named;
  });
  const resources = textsOf(members['Resource'], `${field}.Resource`);
  return {
    sid,
    effect,
    actions: new Set(actions),
    resources: resources.map((resource) => parseResource(resource, `${field}.Resource`, scope)),
    conditions: parseConditions(members['Condition'], `${field}.Condition`, scope),
  };
}

function textsOf(value: JsonValue | undefined, field: string): readonly string[] {
  const list: readonly JsonValue[] = Array.isArray(value) ? (value as readonly JsonValue[]) : [value ?? null];
  if (list.length === 0) throw invalid(field, 'empty');
  if (list.length > POLICY_LIMITS.maxListEntries) throw invalid(field, 'too many');
  return list.map((each) => {
    if (typeof each !== 'string') throw invalid(field, 'not text');
    return each;
  });
}

function membersOf(value: JsonValue, field: string, known: readonly string[]): Readonly<Record<string, JsonValue>> {
  if (!isJsonObject(value)) throw invalid(field, 'not an object');
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) throw invalid(field, 'a member that is not supported');
  }
  return value;
}

function parseJson(text: string): JsonValue {
  try {
    return parseStrictJson(text);
  } catch (cause) {
    throw new HoldfastError('communication.policy_invalid', { field: 'document', reason: 'json' }, { cause });
  }
}

function invalid(field: string, reason: string): HoldfastError {
  return new HoldfastError('communication.policy_invalid', { field, reason });
}
