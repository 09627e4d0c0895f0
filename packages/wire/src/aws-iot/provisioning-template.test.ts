import { HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProvisioningTemplate, TEMPLATE_LIMITS } from './provisioning-template.ts';
import { evaluateText, evaluateTexts, type ExpressionValues } from './template-expression.ts';

/** The members of the sample in the AWS IoT developer guide, "Fleet provisioning templates". */
const SAMPLE = {
  Parameters: {
    ThingName: { Type: 'String' },
    SerialNumber: { Type: 'String' },
    DeviceLocation: { Type: 'String' },
    'AWS::IoT::Certificate::Id': { Type: 'String' },
  },
  Mappings: {
    LocationTable: { Seattle: { LocationUrl: 'https://example.aws' } },
  },
  Resources: {
    thing: {
      Type: 'AWS::IoT::Thing',
      Properties: {
        AttributePayload: { version: 'v1', serialNumber: 'serialNumber' },
        ThingName: { Ref: 'ThingName' },
        ThingTypeName: { 'Fn::Join': ['', ['ThingPrefix_', { Ref: 'SerialNumber' }]] },
        ThingGroups: ['v1-lightbulbs', 'WA'],
      },
      OverrideSettings: { AttributePayload: 'MERGE', ThingTypeName: 'REPLACE', ThingGroups: 'DO_NOTHING' },
    },
    certificate: {
      Type: 'AWS::IoT::Certificate',
      Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'Active' },
    },
    policy: {
      Type: 'AWS::IoT::Policy',
      Properties: {
        PolicyDocument: {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }],
        },
      },
    },
  },
  DeviceConfiguration: {
    FallbackUrl: 'https://www.example.com/test-site',
    LocationUrl: { 'Fn::FindInMap': ['LocationTable', { Ref: 'DeviceLocation' }, 'LocationUrl'] },
  },
};

const parse = (document: unknown, kind: 'fleet' | 'jitp' = 'fleet') =>
  parseProvisioningTemplate(JSON.stringify(document), kind);

/** A template whose thing is called what the expression comes to. */
function named(expression: unknown, parameters: Readonly<Record<string, unknown>> = {}): unknown {
  const { certificate } = SAMPLE.Resources;
  const thing = { Type: 'AWS::IoT::Thing', Properties: { ThingName: expression } };
  return { ...SAMPLE, Parameters: { ...SAMPLE.Parameters, ...parameters }, Resources: { thing, certificate } };
}

const values = (given: Readonly<Record<string, string>>): ExpressionValues => ({
  parameters: new Map(Object.entries(given)),
  mappings: parse(SAMPLE).mappings,
});

const nameOf = (expression: unknown, given: Readonly<Record<string, string>> = {}): string =>
  evaluateText(parse(named(expression)).thing.name, values(given), 'ThingName');

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (HoldfastError.is(error)) return `${error.code} ${String(error.details['field'] ?? '')}`.trim();
    throw error;
  }
  return 'read';
};

describe('a provisioning template', () => {
  it('is read as the developer guide writes it', () => {
    const template = parse(SAMPLE);
    const given = values({ ThingName: 'lamp-1', SerialNumber: 'S1', DeviceLocation: 'Seattle' });
    expect(evaluateText(template.thing.name, given, 'name')).toBe('lamp-1');
    expect(template.thing.typeName && evaluateText(template.thing.typeName, given, 'type')).toBe('ThingPrefix_S1');
    expect(template.thing.groups && evaluateTexts(template.thing.groups, given, 'groups')).toEqual([
      'v1-lightbulbs',
      'WA',
    ]);
    expect(template.thing.overrides).toEqual({
      AttributePayload: 'MERGE',
      ThingTypeName: 'REPLACE',
      ThingGroups: 'DO_NOTHING',
    });
    expect(template.certificate.source).toBe('id');
    expect(template.policies).toMatchObject([{ kind: 'document' }]);
    const configuration = (template.deviceConfiguration ?? []).map(([name, each]) => [
      name,
      evaluateText(each, given, name),
    ]);
    expect(Object.fromEntries(configuration)).toEqual({
      FallbackUrl: 'https://www.example.com/test-site',
      LocationUrl: 'https://example.aws',
    });
  });

  it('takes a policy document as escaped text too', () => {
    const policy = { Type: 'AWS::IoT::Policy', Properties: { PolicyDocument: '{"Version":"2012-10-17"}' } };
    expect(parse({ ...SAMPLE, Resources: { ...SAMPLE.Resources, policy } }).policies).toEqual([
      { kind: 'document', document: '{"Version":"2012-10-17"}' },
    ]);
  });

  it.each<[string, unknown, string]>([
    ['a section nobody knows', { ...SAMPLE, Outputs: {} }, 'wire.malformed template'],
    ['no resources', { Parameters: {} }, 'wire.malformed Resources'],
    [
      'a parameter of another type',
      { ...SAMPLE, Parameters: { N: { Type: 'Number' } } },
      'wire.malformed Parameters.N.Type',
    ],
    ['no thing', { ...SAMPLE, Resources: { certificate: SAMPLE.Resources.certificate } }, 'wire.malformed Resources'],
    ['no certificate', { ...SAMPLE, Resources: { thing: SAMPLE.Resources.thing } }, 'wire.malformed Resources'],
    [
      'two things',
      { ...SAMPLE, Resources: { ...SAMPLE.Resources, other: SAMPLE.Resources.thing } },
      'wire.malformed Resources',
    ],
    [
      'a name with a sign of its own',
      { ...SAMPLE, Parameters: { 'a b': { Type: 'String' } } },
      'wire.malformed Parameters',
    ],
    [
      'a resource of another type',
      { ...SAMPLE, Resources: { ...SAMPLE.Resources, role: { Type: 'AWS::IAM::Role' } } },
      'wire.malformed Resources.role.Type',
    ],
    [
      'a setting its property has not',
      {
        ...SAMPLE,
        Resources: {
          ...SAMPLE.Resources,
          thing: { ...SAMPLE.Resources.thing, OverrideSettings: { ThingTypeName: 'MERGE' } },
        },
      },
      'wire.malformed Resources.thing.OverrideSettings.ThingTypeName',
    ],
    [
      'a request as the certificate of a fleet template',
      {
        ...SAMPLE,
        Resources: {
          ...SAMPLE.Resources,
          certificate: { Type: 'AWS::IoT::Certificate', Properties: { CertificateSigningRequest: 'x' } },
        },
      },
      'wire.malformed Resources.certificate.Properties.CertificateSigningRequest',
    ],
    [
      'a policy with name and document',
      {
        ...SAMPLE,
        Resources: {
          ...SAMPLE.Resources,
          policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: 'a', PolicyDocument: '{}' } },
        },
      },
      'wire.malformed Resources.policy.Properties',
    ],
    [
      'a nested device configuration',
      { ...SAMPLE, DeviceConfiguration: { a: { b: 'c' } } },
      'wire.malformed DeviceConfiguration.a',
    ],
    ['a parameter nobody declared', named({ Ref: 'Other' }), 'wire.malformed Resources.thing.Properties.ThingName'],
    [
      'a place nobody declared',
      named({ 'Fn::Sub': '${Other}' }),
      'wire.malformed Resources.thing.Properties.ThingName',
    ],
    [
      'a mapping nobody declared',
      named({ 'Fn::FindInMap': ['X', 'a', 'b'] }),
      'wire.malformed Resources.thing.Properties.ThingName',
    ],
    ['an unknown function', named({ 'Fn::GetAtt': ['a', 'b'] }), 'wire.malformed Resources.thing.Properties.ThingName'],
    [
      'a member of the prototype as a function',
      named({ toString: 'x' }),
      'wire.malformed Resources.thing.Properties.ThingName',
    ],
    [
      'two functions at once',
      named({ Ref: 'ThingName', 'Fn::Sub': 'x' }),
      'wire.malformed Resources.thing.Properties.ThingName',
    ],
    ['a number as a name', named(7), 'wire.malformed Resources.thing.Properties.ThingName'],
    ['an empty separator', named({ 'Fn::Split': ['', 'a'] }), 'wire.malformed Resources.thing.Properties.ThingName'],
    [
      'an index that is no number',
      named({ 'Fn::Select': ['-1', ['a']] }),
      'wire.malformed Resources.thing.Properties.ThingName',
    ],
  ])('is refused with %s', (_what, document, code) => {
    expect(codeOf(() => parse(document))).toBe(code);
  });

  it('is refused with a doubled member, deep functions or too many characters', () => {
    const doubled = JSON.stringify(SAMPLE).replace('"Parameters"', '"Parameters":{},"Parameters"');
    expect(codeOf(() => parseProvisioningTemplate(doubled, 'fleet'))).toMatch(/^wire.duplicate/);
    const deep = Array.from({ length: 9 }).reduce<unknown>((inner) => ({ 'Fn::Join': ['', [inner]] }), 'x');
    expect(codeOf(() => parse(named(deep)))).toMatch(/^wire.too_large/);
    const long = `${JSON.stringify(SAMPLE)}${' '.repeat(TEMPLATE_LIMITS.maxCharacters)}`;
    expect(codeOf(() => parseProvisioningTemplate(long, 'fleet'))).toBe('wire.too_large template');
  });

  it('of the JITP kind has Ref alone, neither mappings nor device configuration', () => {
    const { Mappings: _mappings, DeviceConfiguration: _configuration, ...rest } = SAMPLE;
    const { policy, certificate } = SAMPLE.Resources;
    const thing = { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'SerialNumber' } } };
    expect(codeOf(() => parse({ ...rest, Resources: { thing, certificate, policy } }, 'jitp'))).toBe('read');
    expect(codeOf(() => parse(SAMPLE, 'jitp'))).toBe('wire.malformed Mappings');
    expect(codeOf(() => parse(rest, 'jitp'))).toBe('wire.malformed Resources.thing.Properties.ThingTypeName');
  });

  it('answers any text with a template or a coded error', () => {
    const pieces = fc.constantFrom('Resources', 'Parameters', 'Ref', 'Fn::Sub', 'Type', 'AWS::IoT::Thing', '${x}', 'x');
    const json = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, pieces, fc.constant(null), fc.integer(), tie('list'), tie('object')),
      list: fc.array(tie('value'), { maxLength: 3 }),
      object: fc.dictionary(pieces, tie('value'), { maxKeys: 3 }),
    })).value;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          json.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          expect(codeOf(() => parseProvisioningTemplate(text, 'fleet'))).toMatch(/^(?:read|wire\.)/);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a function of a template', () => {
  it.each<[string, unknown, string]>([
    ['Fn::Join', { 'Fn::Join': ['-', ['a', { Ref: 'ThingName' }]] }, 'a-lamp'],
    ['Fn::Split and Fn::Select', { 'Fn::Select': [1, { 'Fn::Split': ['/', { Ref: 'SerialNumber' }] }] }, 'b'],
    ['Fn::Select with its index as text', { 'Fn::Select': ['0', ['a', 'b']] }, 'a'],
    ['Fn::Sub with parameters', { 'Fn::Sub': 'x-${ThingName}' }, 'x-lamp'],
    [
      'Fn::Sub with values of its own',
      { 'Fn::Sub': ['${p}-${ThingName}', { p: { Ref: 'SerialNumber' } }] },
      'a/b-lamp',
    ],
    ['Fn::Sub with a place that stays', { 'Fn::Sub': '${!ThingName}' }, '${ThingName}'],
    ['Fn::FindInMap', { 'Fn::FindInMap': ['LocationTable', 'Seattle', 'LocationUrl'] }, 'https://example.aws'],
  ])('%s', (_name, expression, result) => {
    expect(nameOf(expression, { ThingName: 'lamp', SerialNumber: 'a/b' })).toBe(result);
  });

  it('never fills in what a filled-in value says', () => {
    expect(nameOf({ 'Fn::Sub': '${ThingName}' }, { ThingName: '${SerialNumber}', SerialNumber: 'x' })).toBe(
      '${SerialNumber}',
    );
  });

  it.each<[string, unknown]>([
    ['a missing parameter', { Ref: 'SerialNumber' }],
    ['a key the mapping has not', { 'Fn::FindInMap': ['LocationTable', { Ref: 'ThingName' }, 'LocationUrl'] }],
    ['a key of the prototype', { 'Fn::FindInMap': ['LocationTable', '__proto__', 'LocationUrl'] }],
    ['an index outside', { 'Fn::Select': [4, ['a']] }],
    ['a list where a text is asked', ['a', 'b']],
  ])('is refused for %s', (_what, expression) => {
    expect(codeOf(() => nameOf(expression, { ThingName: 'lamp' }))).toBe('wire.malformed ThingName');
  });

  it('is refused when it grows beyond its bound', () => {
    const twice = { 'Fn::Sub': '${ThingName}${ThingName}' };
    expect(codeOf(() => nameOf(twice, { ThingName: 'x'.repeat(4000) }))).toBe('wire.too_large ThingName');
  });
});
