import type { PolicyContext, PolicyRequest } from './policy-context.ts';
import { isListKey, isPolicyVariable, valuesOf } from './variables.ts';

/** What the values of a key are; an operator works on one family only. */
export type KeyFamily = 'string' | 'bool' | 'address' | 'number' | 'date' | 'arn';

export interface ConditionKey {
  readonly name: string;
  readonly family: KeyFamily;
  /** Only `ForAllValues:` and `ForAnyValue:` may read it. */
  readonly list: boolean;
  /** Its value belongs to the question or to the moment, so an answer that used it is not kept. */
  readonly volatile: boolean;
  readonly values: (context: PolicyContext, request: PolicyRequest) => readonly string[] | undefined;
}

const SPECIAL: Readonly<Record<string, Omit<ConditionKey, 'name'>>> = {
  'aws:SourceIp': fixed('address', (context) => context.sourceIp),
  'iot:Connection.Thing.IsAttached': fixed(
    'bool',
    (context) => valuesOf('iot:Connection.Thing.IsAttached', context)?.[0],
  ),
  'holdfast:Posture': fixed('string', (context) => context.posture),
  'holdfast:FirmwareVersion': fixed('string', (context) => context.firmwareVersion),
  'holdfast:SecurityCounter': fixed('number', (context) => context.securityCounter?.toString()),
  'holdfast:CertificateAge': moving('number', (context, { now }) =>
    context.certificate === undefined ? undefined : String(Math.floor((now - context.certificate.notBefore) / 1000)),
  ),
  'aws:CurrentTime': moving('date', (_, { now }) => String(now)),
  'aws:EpochTime': moving('number', (_, { now }) => String(Math.floor(now / 1000))),
  'iot:LastWillTopic': moving('arn', (_, { lastWillTopic }) => lastWillTopic),
  'iot:ConnectAttributes': {
    family: 'string',
    list: true,
    volatile: true,
    values: (_, request) => request.connectAttributes ?? [],
  },
};

/** The key of a condition, or undefined when a policy may not name it. */
export function conditionKey(name: string): ConditionKey | undefined {
  const special = Object.hasOwn(SPECIAL, name) ? SPECIAL[name] : undefined;
  if (special !== undefined) return { name, ...special };
  if (!isPolicyVariable(name) && !isListKey(name)) return undefined;
  return {
    name,
    family: 'string',
    list: isListKey(name),
    volatile: false,
    values: (context) => valuesOf(name, context),
  };
}

function fixed(family: KeyFamily, valueOf: (context: PolicyContext) => string | undefined): Omit<ConditionKey, 'name'> {
  return { family, list: false, volatile: false, values: (context) => listOf(valueOf(context)) };
}

function moving(
  family: KeyFamily,
  valueOf: (context: PolicyContext, request: PolicyRequest) => string | undefined,
): Omit<ConditionKey, 'name'> {
  return { family, list: false, volatile: true, values: (context, request) => listOf(valueOf(context, request)) };
}

function listOf(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value];
}
