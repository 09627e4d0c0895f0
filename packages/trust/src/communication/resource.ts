import { HoldfastError } from '@holdfast/kernel';
import { compileMatcher, parsePattern, type PatternPart } from './pattern.ts';

/** The names a tenant's resources go by: `arn:aws:iot:REGION:ACCOUNT:topic/…`. */
export interface ArnScope {
  readonly partition: string;
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
}

/** The scope of the embedded default tenant: `arn:aws:iot:local:000000000000:…`. */
export const DEFAULT_ARN_SCOPE: ArnScope = { partition: 'aws', region: 'local', account: '000000000000' };

const RESOURCE_TYPES = ['client', 'topic', 'topicfilter', 'thing'] as const;

export type ResourceType = (typeof RESOURCE_TYPES)[number];

/**
 * Reads one Resource: `*`, or an ARN whose region and account may hold wildcards. What is returned is matched against
 * `type/name`; the parts before are settled here, each by itself, because a `*` that ran over a colon would let
 * `topic/x:topic/y` pass for `topic/y`.
 *
 * @throws `communication.policy_invalid` when it is no ARN, names another region or account, or a type no action has.
 */
export function parseResource(text: string, field: string, scope: ArnScope): readonly PatternPart[] {
  if (text === '*') return parsePattern(text, field);
  const [arn, partition = '', service, region = '', account = '', ...rest] = text.split(':');
  if (arn !== 'arn' || rest.length === 0) throw invalid(field, 'not an ARN');
  if (service !== 'iot') throw invalid(field, 'not an iot resource');
  const own = [
    [partition, scope.partition],
    [region, scope.region],
    [account, scope.account],
  ] as const;
  for (const [pattern, value] of own) {
    if (pattern.includes('$') || !compileMatcher(parsePattern(pattern, field))(value)) {
      throw invalid(field, 'another partition, region or account than this tenant has');
    }
  }
  const name = rest.join(':');
  const [type = ''] = name.split('/', 1);
  if (!namesType(type, name, field)) throw invalid(field, 'no such resource type');
  return parsePattern(name, field);
}

/** The text a request's resource is matched as. */
export function resourceName(type: ResourceType, name: string): string {
  return `${type}/${name}`;
}

function namesType(type: string, name: string, field: string): boolean {
  if (type.includes('*')) return true;
  if (type.includes('$') || !name.includes('/')) return false;
  const matches = compileMatcher(parsePattern(type, field));
  return RESOURCE_TYPES.some((known) => matches(known));
}

function invalid(field: string, reason: string): HoldfastError {
  return new HoldfastError('communication.policy_invalid', { field, reason });
}
