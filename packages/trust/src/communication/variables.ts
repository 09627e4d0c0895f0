import { NAME_ATTRIBUTES, type NameAttribute } from './name-attributes.ts';
import type { PolicyContext } from './policy-context.ts';

const CERTIFICATE_NAME = new RegExp(
  `^iot:Certificate\\.(Subject|Issuer)\\.(${NAME_ATTRIBUTES.map((name) => name.replace('.', '\\.')).join('|')})(?:\\.(List|\\d))?$`,
);
const THING_ATTRIBUTE = /^iot:Connection\.Thing\.Attributes\[([a-zA-Z0-9_.,@/:#-]{1,128})\]$/;

/** AWS IoT limits: a value longer than this is not substituted, entries after these are not looked at. */
const MAX_VALUE_LENGTH = 1024;
const MAX_VALUES = 5;

type Values = readonly string[] | undefined;

const SIMPLE: Readonly<Record<string, (context: PolicyContext) => Values>> = {
  'iot:ClientId': (context) => one(context.clientId),
  'aws:SourceIp': (context) => one(context.sourceIp),
  'iot:Connection.Thing.ThingName': (context) => one(attachedThing(context)?.name),
  'iot:Connection.Thing.ThingTypeName': (context) => one(attachedThing(context)?.typeName),
  'iot:Connection.Thing.IsAttached': (context) => [String(attachedThing(context) !== undefined)],
  'iot:Certificate.SerialNumber': (context) => one(context.certificate?.serialNumber),
  'iot:Certificate.AvailableKeys': availableKeys,
};

/** Whether a policy may write `${name}`. */
export function isPolicyVariable(name: string): boolean {
  if (name === 'iot:Certificate.AvailableKeys') return false;
  return Object.hasOwn(SIMPLE, name) || THING_ATTRIBUTE.test(name) || singleCertificateName(name);
}

/** Whether a name holds a list, which only the set operators of conditions may read. */
export function isListKey(name: string): boolean {
  return name === 'iot:Certificate.AvailableKeys' || (CERTIFICATE_NAME.test(name) && name.endsWith('.List'));
}

/**
 * The text a variable stands for, or undefined when it has none.
 *
 * A value with `*`, `$`, `+`, `?` or `#` is not substituted: it would become a wildcard (CVE-2017-7650).
 */
export function resolveVariable(name: string, context: PolicyContext): string | undefined {
  const value = valuesOf(name, context)?.[0];
  if (value === undefined || value.length > MAX_VALUE_LENGTH || /[*$+?#]/.test(value)) return undefined;
  return value;
}

/** All values behind a name, unchecked for wildcards: conditions compare them as text. Undefined when there are none. */
export function valuesOf(name: string, context: PolicyContext): Values {
  const simple = Object.hasOwn(SIMPLE, name) ? SIMPLE[name] : undefined;
  if (simple !== undefined) return simple(context);
  const attribute = THING_ATTRIBUTE.exec(name)?.[1];
  if (attribute !== undefined) {
    const attributes = attachedThing(context)?.attributes ?? {};
    return Object.hasOwn(attributes, attribute) ? one(attributes[attribute]) : undefined;
  }
  const [, side, part, index] = CERTIFICATE_NAME.exec(name) ?? [];
  if (side === undefined || part === undefined || context.certificate === undefined) return undefined;
  const names = side === 'Subject' ? context.certificate.subject : context.certificate.issuer;
  const values = names[part as NameAttribute]?.slice(0, MAX_VALUES);
  if (values === undefined || values.length === 0) return undefined;
  if (index === 'List') return values;
  return one(values[Number(index ?? 0)]);
}

/**
 * The thing of this connection: the one its certificate belongs to, and only while the client id is its name.
 *
 * @see AWS IoT developer guide, thing-policy-variables
 */
function attachedThing(context: PolicyContext): PolicyContext['thing'] {
  return context.thing !== undefined && context.thing.name === context.clientId ? context.thing : undefined;
}

function availableKeys(context: PolicyContext): Values {
  const { certificate } = context;
  if (certificate === undefined) return undefined;
  const keys = ['iot:Certificate.SerialNumber'];
  for (const [side, names] of [
    ['Subject', certificate.subject],
    ['Issuer', certificate.issuer],
  ] as const) {
    for (const part of NAME_ATTRIBUTES) {
      if ((names[part]?.length ?? 0) > 0) keys.push(`iot:Certificate.${side}.${part}`);
    }
  }
  return keys;
}

function singleCertificateName(name: string): boolean {
  return CERTIFICATE_NAME.test(name) && !name.endsWith('.List');
}

function one(value: string | undefined): Values {
  return value === undefined ? undefined : [value];
}
