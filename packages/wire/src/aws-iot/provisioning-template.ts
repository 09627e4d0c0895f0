import { HoldfastError, isJsonObject, type JsonValue, parseStrictJson } from '@holdfast/kernel';
import { type Expression, type ExpressionScope, type Mappings, parseExpression } from './template-expression.ts';

/** `fleet` is for claims; `jitp` serves certificates of a registered authority and bulk registration. */
export type TemplateKind = 'fleet' | 'jitp';

/** What happens to a property of a thing that exists. */
export type OverrideSetting = 'DO_NOTHING' | 'REPLACE' | 'FAIL' | 'MERGE';

/** Where the certificate comes from: it is there already, a request is a parameter, or it is given whole. */
export type CertificateSource = 'id' | 'csr' | 'pem';

export interface TemplateThing {
  readonly name: Expression;
  readonly typeName: Expression | undefined;
  readonly groups: Expression | undefined;
  readonly attributes: readonly (readonly [string, Expression])[] | undefined;
  readonly overrides: Readonly<Record<OverridableProperty, OverrideSetting>>;
}

interface TemplateCertificate {
  readonly source: CertificateSource;
  /** Of the id, the request or the certificate. */
  readonly value: Expression;
  /** ACTIVE unless given. */
  readonly status: Expression | undefined;
}

/** A policy by name, or a document that has the name of its hash. */
export type TemplatePolicy =
  | { readonly kind: 'name'; readonly name: Expression }
  | { readonly kind: 'document'; readonly document: string };

/** A provisioning template as it is used. */
export interface ProvisioningTemplate {
  /** Undefined for a parameter without default. */
  readonly parameters: ReadonlyMap<string, string | undefined>;
  readonly mappings: Mappings;
  readonly thing: TemplateThing;
  readonly certificate: TemplateCertificate;
  readonly policies: readonly TemplatePolicy[];
  /** Undefined when the template has none. */
  readonly deviceConfiguration: readonly (readonly [string, Expression])[] | undefined;
}

export const TEMPLATE_LIMITS = { maxCharacters: 10_240, maxEntries: 64, maxPolicies: 10 } as const;

type OverridableProperty = 'AttributePayload' | 'ThingTypeName' | 'ThingGroups';

const SECTIONS = ['Parameters', 'Mappings', 'Resources', 'DeviceConfiguration', 'Description'];
const NAME = /^[\w:.-]{1,128}$/;
const SETTINGS: readonly OverrideSetting[] = ['DO_NOTHING', 'REPLACE', 'FAIL'];
const OVERRIDABLE: Readonly<Record<OverridableProperty, readonly OverrideSetting[]>> = {
  AttributePayload: [...SETTINGS, 'MERGE'],
  ThingTypeName: SETTINGS,
  ThingGroups: [...SETTINGS, 'MERGE'],
};
const SOURCES = { CertificateId: 'id', CertificateSigningRequest: 'csr', CertificatePem: 'pem' } as const;
const KIND_SOURCES: Readonly<Record<TemplateKind, readonly CertificateSource[]>> = {
  fleet: ['id'],
  jitp: ['id', 'csr', 'pem'],
};

const wrong = (field: string, reason: string): HoldfastError => new HoldfastError('wire.malformed', { field, reason });

/**
 * Reads an AWS IoT provisioning template. Whatever is not enforced exactly (unknown members, types, properties,
 * functions or settings, doubled keys, undeclared names) is refused rather than ignored.
 *
 * @throws `wire.malformed` naming the member, `wire.duplicate`, `wire.too_large`
 * @see AWS IoT developer guide, "Provisioning templates"
 */
export function parseProvisioningTemplate(text: string, kind: TemplateKind): ProvisioningTemplate {
  if (text.length > TEMPLATE_LIMITS.maxCharacters) {
    throw new HoldfastError('wire.too_large', { field: 'template', limit: TEMPLATE_LIMITS.maxCharacters });
  }
  const document = membersOf(parseStrictJson(text), 'template', SECTIONS);
  const parameters = readParameters(document['Parameters']);
  const mappings = readMappings(document['Mappings']);
  if (kind === 'jitp') {
    for (const section of ['Mappings', 'DeviceConfiguration']) {
      if (document[section] !== undefined) throw wrong(section, 'a section of fleet templates');
    }
  }
  const scope = { parameters: new Set(parameters.keys()), mappings, functions: kind === 'fleet' };
  return {
    parameters,
    mappings,
    ...readResources(document['Resources'], scope, kind),
    deviceConfiguration: readTexts(document['DeviceConfiguration'], scope, 'DeviceConfiguration'),
  };
}

function readParameters(value: JsonValue | undefined): ReadonlyMap<string, string | undefined> {
  const entries = entriesOf(value ?? {}, 'Parameters').map(([name, each]) => {
    const field = `Parameters.${name}`;
    const { Type: type, Default: given } = membersOf(each, field, ['Type', 'Default', 'Description']);
    if (type !== 'String') throw wrong(`${field}.Type`, 'not String');
    if (given !== undefined && typeof given !== 'string') throw wrong(`${field}.Default`, 'not text');
    return [name, given] as const;
  });
  return new Map(entries);
}

function readMappings(value: JsonValue | undefined): Mappings {
  return mapOf(value ?? {}, 'Mappings', (first, map) =>
    mapOf(first, map, (second, key) =>
      mapOf(second, key, (text, field) => {
        if (typeof text !== 'string') throw wrong(field, 'not text');
        return text;
      }),
    ),
  );
}

function mapOf<Value>(
  value: JsonValue,
  field: string,
  read: (each: JsonValue, field: string) => Value,
): ReadonlyMap<string, Value> {
  return new Map(entriesOf(value, field).map(([name, each]) => [name, read(each, `${field}.${name}`)]));
}

type Resources = Pick<ProvisioningTemplate, 'thing' | 'certificate' | 'policies'>;

function readResources(value: JsonValue | undefined, scope: ExpressionScope, kind: TemplateKind): Resources {
  if (value === undefined) throw wrong('Resources', 'missing');
  const things: TemplateThing[] = [];
  const certificates: TemplateCertificate[] = [];
  const policies: TemplatePolicy[] = [];
  for (const [name, each] of entriesOf(value, 'Resources')) {
    const field = `Resources.${name}`;
    const members = membersOf(each, field, ['Type', 'Properties', 'OverrideSettings']);
    const { Type: type, Properties: properties = {}, OverrideSettings: overrides = {} } = members;
    if (type === 'AWS::IoT::Thing') things.push(readThing(properties, overrides, { scope, field }));
    else if (type === 'AWS::IoT::Certificate') {
      membersOf(overrides, `${field}.OverrideSettings`, ['Status']);
      certificates.push(readCertificate(properties, { scope, field }, kind));
    } else if (type === 'AWS::IoT::Policy') {
      membersOf(overrides, `${field}.OverrideSettings`, []);
      policies.push(readPolicy(properties, { scope, field }));
    } else throw wrong(`${field}.Type`, 'not a thing, certificate or policy');
  }
  const [[thing], [certificate]] = [things, certificates];
  if (thing === undefined || things.length > 1) throw wrong('Resources', 'not one thing');
  if (certificate === undefined || certificates.length > 1) throw wrong('Resources', 'not one certificate');
  if (policies.length > TEMPLATE_LIMITS.maxPolicies) throw wrong('Resources', 'too many policies');
  return { thing, certificate, policies };
}

interface Resource {
  readonly scope: ExpressionScope;
  readonly field: string;
}

function readThing(properties: JsonValue, overrides: JsonValue, { scope, field }: Resource): TemplateThing {
  const at = `${field}.Properties`;
  const known = ['ThingName', 'ThingTypeName', 'ThingGroups', 'AttributePayload'];
  const members = membersOf(properties, at, known);
  const optional = (name: string) => {
    const value = members[name];
    return value === undefined ? undefined : parseExpression(value, scope, `${at}.${name}`);
  };
  const name = optional('ThingName');
  if (name === undefined) throw wrong(`${at}.ThingName`, 'missing');
  const settings = membersOf(overrides, `${field}.OverrideSettings`, Object.keys(OVERRIDABLE));
  const setting = (property: OverridableProperty): OverrideSetting => {
    const given = settings[property];
    if (given === undefined) return 'DO_NOTHING';
    const word = OVERRIDABLE[property].find((each) => each === given);
    if (word === undefined) throw wrong(`${field}.OverrideSettings.${property}`, 'not a setting of it');
    return word;
  };
  return {
    name,
    typeName: optional('ThingTypeName'),
    groups: optional('ThingGroups'),
    attributes: readTexts(members['AttributePayload'], scope, `${at}.AttributePayload`),
    overrides: {
      AttributePayload: setting('AttributePayload'),
      ThingTypeName: setting('ThingTypeName'),
      ThingGroups: setting('ThingGroups'),
    },
  };
}

function readCertificate(properties: JsonValue, { scope, field }: Resource, kind: TemplateKind): TemplateCertificate {
  const at = `${field}.Properties`;
  const members = membersOf(properties, at, [...Object.keys(SOURCES), 'CACertificatePem', 'Status']);
  const given = Object.entries(SOURCES).filter(([name]) => members[name] !== undefined);
  const [[name, source] = ['', undefined]] = given;
  if (source === undefined || given.length > 1) throw wrong(at, 'not one of id, request and certificate');
  if (!KIND_SOURCES[kind].includes(source)) throw wrong(`${at}.${name}`, 'not for this kind of template');
  const expression = (member: string) => {
    const value = members[member];
    return value === undefined ? undefined : parseExpression(value, scope, `${at}.${member}`);
  };
  const value = expression(name);
  if (value === undefined) throw wrong(`${at}.${name}`, 'missing');
  return { source, value, status: expression('Status') };
}

function readPolicy(properties: JsonValue, { scope, field }: Resource): TemplatePolicy {
  const at = `${field}.Properties`;
  const { PolicyName: name, PolicyDocument: document } = membersOf(properties, at, ['PolicyName', 'PolicyDocument']);
  if ((name === undefined) === (document === undefined)) throw wrong(at, 'not one of name and document');
  if (name !== undefined) return { kind: 'name', name: parseExpression(name, scope, `${at}.PolicyName`) };
  if (typeof document === 'string') return { kind: 'document', document };
  if (!isJsonObject(document)) throw wrong(`${at}.PolicyDocument`, 'neither text nor object');
  return { kind: 'document', document: JSON.stringify(document) };
}

function readTexts(
  value: JsonValue | undefined,
  scope: ExpressionScope,
  field: string,
): readonly (readonly [string, Expression])[] | undefined {
  if (value === undefined) return undefined;
  return entriesOf(value, field).map(([name, each]) => [name, parseExpression(each, scope, `${field}.${name}`)]);
}

function entriesOf(value: JsonValue, field: string): readonly (readonly [string, JsonValue])[] {
  if (!isJsonObject(value)) throw wrong(field, 'not an object');
  const entries = Object.entries(value);
  if (entries.length > TEMPLATE_LIMITS.maxEntries) throw wrong(field, 'too many members');
  // Names become part of the field an error names.
  if (entries.some(([name]) => !NAME.test(name))) throw wrong(field, 'a name of another form');
  return entries;
}

function membersOf(
  value: JsonValue | undefined,
  field: string,
  known: readonly string[],
): { readonly [name: string]: JsonValue | undefined } {
  if (!isJsonObject(value)) throw wrong(field, 'not an object');
  if (Object.keys(value).some((name) => !known.includes(name))) throw wrong(field, 'unknown member');
  return value;
}
