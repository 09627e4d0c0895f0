import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PolicyAction } from './actions.ts';
import { CLAIM_POLICY, DEVICE_POLICY, EMPTY_POLICY, PROOF_POLICY, RESTRICTED_POLICY } from './builtin-policies.ts';
import { CompiledPolicy, type Decision } from './compiled-policy.ts';
import { compileMatcher, parsePattern } from './pattern.ts';
import type { PolicyContext, PolicyRequest } from './policy-context.ts';
import { parsePolicyDocument } from './policy-document.ts';
import { DEFAULT_ARN_SCOPE } from './resource.ts';

const coded = (code: string) => expect.objectContaining({ code });
const ARN = 'arn:aws:iot:local:000000000000:';
const NOW: PolicyRequest = { now: Date.UTC(2026, 10, 23) };

const lamp: PolicyContext = {
  clientId: 'lamp-1',
  sourceIp: '192.0.2.7',
  thing: { name: 'lamp-1', typeName: 'lamp', attributes: { zone: 'north', evil: 'a/*' } },
  certificate: {
    serialNumber: '0a',
    subject: { CommonName: ['lamp-1'], Organization: ['Example Corp', 'AnyCompany'], Country: ['+'] },
    issuer: { CommonName: ['Issuing CA'] },
    notBefore: NOW.now - 10_000,
  },
  posture: 'proven',
  firmwareVersion: '1.2.3',
  securityCounter: 7,
};

interface Row {
  readonly Effect?: 'Allow' | 'Deny';
  readonly Action?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: unknown;
}

function compile(rows: readonly Row[], context: PolicyContext = lamp): CompiledPolicy {
  const statements = rows.map((row) => ({ Effect: 'Allow', Action: 'iot:*', Resource: '*', ...row }));
  const text = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  return new CompiledPolicy(
    [{ name: 'test', document: parsePolicyDocument(text, DEFAULT_ARN_SCOPE) }],
    undefined,
    context,
  );
}

function ask(rows: readonly Row[], question: string, context: PolicyContext = lamp, request = NOW): Decision['kind'] {
  const [action = '', resource = ''] = question.split(' ');
  return compile(rows, context).decide(`iot:${action}` as PolicyAction, resource, request).kind;
}

it('answers alike over many more resources than it remembers', () => {
  const compiled = compile([{ Resource: `${ARN}topic/a/*` }]);
  for (let question = 0; question < 3000; question++) {
    const number = question % 250;
    const expected = number % 2 === 0 ? 'allow' : 'deny';
    const resource = `topic/${expected === 'allow' ? 'a' : 'b'}/${number}`;
    expect(compiled.decide('iot:Receive', resource, NOW).kind).toBe(expected);
  }
});

describe('statements', () => {
  const own = `${ARN}topic/a/*`;
  it.each<readonly [string, readonly Row[], string, Decision['kind']]>([
    ['nothing said is a no', [], 'Publish topic/a/b', 'deny'],
    ['an allow covers its topic', [{ Resource: own }], 'Publish topic/a/b/c', 'allow'],
    ['an allow covers no other topic', [{ Resource: own }], 'Publish topic/ab', 'deny'],
    ['an allow covers no other action', [{ Action: 'iot:Receive', Resource: own }], 'Publish topic/a/b', 'deny'],
    ['a deny wins over an allow before it', [{}, { Effect: 'Deny', Resource: own }], 'Publish topic/a/b', 'deny'],
    ['a deny wins over an allow after it', [{ Effect: 'Deny', Resource: own }, {}], 'Publish topic/a/b', 'deny'],
    ['a deny leaves the rest', [{ Effect: 'Deny', Resource: own }, {}], 'Publish topic/b', 'allow'],
    ['action names ignore case', [{ Effect: 'Deny', Action: 'iot:publish' }, {}], 'Publish topic/b', 'deny'],
    ['? is one character', [{ Resource: `${ARN}topic/a?c` }], 'Publish topic/abc', 'allow'],
    ['? is one character, however it is encoded', [{ Resource: `${ARN}topic/a?c` }], 'Publish topic/a😀c', 'allow'],
    ['? is not two characters', [{ Resource: `${ARN}topic/a?c` }], 'Publish topic/abbc', 'deny'],
    ['* runs over slashes', [{ Resource: `${ARN}topic/*/z` }], 'Publish topic/a/b/z', 'allow'],
    ['+ in a policy is a plus', [{ Resource: `${ARN}topic/a/+` }], 'Publish topic/a/b', 'deny'],
    [
      '+ in a filter is compared as text',
      [{ Resource: `${ARN}topicfilter/a/+` }],
      'Subscribe topicfilter/a/+',
      'allow',
    ],
    ['# in a policy is a hash', [{ Resource: `${ARN}topicfilter/a/#` }], 'Subscribe topicfilter/a/b', 'deny'],
    [
      'a filter pattern covers filters under it',
      [{ Resource: `${ARN}topicfilter/a/*` }],
      'Subscribe topicfilter/a/+/b',
      'allow',
    ],
    [
      'a filter pattern covers no wider filter',
      [{ Resource: `${ARN}topicfilter/a/*` }],
      'Subscribe topicfilter/+/b',
      'deny',
    ],
    ['a topic grant is no filter grant', [{ Resource: own }], 'Subscribe topicfilter/a/b', 'deny'],
    ['region and account may be wildcards', [{ Resource: 'arn:aws:iot:*:*:topic/a' }], 'Publish topic/a', 'allow'],
    [
      'a wildcard in region or account ends at its colon',
      [{ Resource: 'arn:aws:iot:*:*:topic/a' }],
      'Publish topic/x:topic/a',
      'deny',
    ],
    ['a colon in a topic is ordinary', [{ Resource: `${ARN}topic/a:b` }], 'Publish topic/a:b', 'allow'],
  ])('%s', (_, rows, question, outcome) => {
    expect(ask(rows, question)).toBe(outcome);
  });

  it('an empty policy denies everything', () => {
    const compiled = new CompiledPolicy([EMPTY_POLICY], undefined, lamp);
    expect(compiled.decide('iot:Connect', 'client/lamp-1', NOW)).toEqual({
      kind: 'deny',
      layer: 'granted',
      by: undefined,
    });
  });

  it('say which one decided', () => {
    const rows: Row[] = [{ Resource: own }, { Effect: 'Deny', Resource: `${ARN}topic/a/x` }];
    expect(compile(rows).decide('iot:Publish', 'topic/a/x', NOW)).toEqual({
      kind: 'deny',
      layer: 'granted',
      by: { policy: 'test', index: 1, sid: undefined, effect: 'Deny' },
    });
    expect(compile(rows).decide('iot:Publish', 'topic/a/y', NOW)).toMatchObject({ kind: 'allow', by: { index: 0 } });
  });

  it('a boundary takes away what was granted and adds nothing', () => {
    const allowAll = {
      name: 'all',
      document: parsePolicyDocument(
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
        DEFAULT_ARN_SCOPE,
      ),
    };
    const restricted = new CompiledPolicy([allowAll], [RESTRICTED_POLICY], lamp);
    expect(restricted.decide('iot:Publish', 'topic/devices/lamp-1/x', NOW)).toMatchObject({
      kind: 'deny',
      layer: 'posture',
    });
    expect(restricted.decide('iot:Publish', 'topic/$holdfast/things/lamp-1/evidence', NOW).kind).toBe('allow');
    expect(new CompiledPolicy([], [allowAll], lamp).decide('iot:Publish', 'topic/x', NOW).kind).toBe('deny');
  });

  it('forgets old answers rather than growing', () => {
    const compiled = compile([{ Resource: own }]);
    for (let i = 0; i < 500; i++) expect(compiled.decide('iot:Publish', `topic/a/${i}`, NOW).kind).toBe('allow');
    expect(compiled.decide('iot:Publish', 'topic/b', NOW).kind).toBe('deny');
  });
});

describe('variables', () => {
  const on = (name: string): Row[] => [{ Resource: `${ARN}topic/v/\${${name}}` }];
  it.each<readonly [string, string, PolicyContext, string, Decision['kind']]>([
    ['the client id', 'iot:ClientId', lamp, 'v/lamp-1', 'allow'],
    ['the source address', 'aws:SourceIp', lamp, 'v/192.0.2.7', 'allow'],
    ['the thing name', 'iot:Connection.Thing.ThingName', lamp, 'v/lamp-1', 'allow'],
    [
      'no thing name under another client id',
      'iot:Connection.Thing.ThingName',
      { ...lamp, clientId: 'x' },
      'v/lamp-1',
      'deny',
    ],
    [
      'no thing name without a thing',
      'iot:Connection.Thing.ThingName',
      { ...lamp, thing: undefined },
      'v/lamp-1',
      'deny',
    ],
    [
      'no thing name without a client id',
      'iot:Connection.Thing.ThingName',
      { ...lamp, clientId: undefined },
      'v/lamp-1',
      'deny',
    ],
    ['the thing type', 'iot:Connection.Thing.ThingTypeName', lamp, 'v/lamp', 'allow'],
    ['whether a thing is attached', 'iot:Connection.Thing.IsAttached', lamp, 'v/true', 'allow'],
    ['an attribute', 'iot:Connection.Thing.Attributes[zone]', lamp, 'v/north', 'allow'],
    ['no attribute that is not there', 'iot:Connection.Thing.Attributes[none]', lamp, 'v/', 'deny'],
    ['no attribute of Object', 'iot:Connection.Thing.Attributes[constructor]', lamp, `v/${String(Object)}`, 'deny'],
    ['no attribute that holds a wildcard', 'iot:Connection.Thing.Attributes[evil]', lamp, 'v/a/b', 'deny'],
    ['the certificate serial', 'iot:Certificate.SerialNumber', lamp, 'v/0a', 'allow'],
    ['the first of several names', 'iot:Certificate.Subject.Organization', lamp, 'v/Example Corp', 'allow'],
    ['the second by .1', 'iot:Certificate.Subject.Organization.1', lamp, 'v/AnyCompany', 'allow'],
    ['no third where there are two', 'iot:Certificate.Subject.Organization.2', lamp, 'v/', 'deny'],
    ['the issuer', 'iot:Certificate.Issuer.CommonName', lamp, 'v/Issuing CA', 'allow'],
    ['no name that holds a plus', 'iot:Certificate.Subject.Country', lamp, 'v/+', 'deny'],
    [
      'no name that is too long',
      'iot:ClientId',
      { ...lamp, clientId: 'x'.repeat(1025) },
      `v/${'x'.repeat(1025)}`,
      'deny',
    ],
  ])('stand for %s', (_, name, context, topic, outcome) => {
    expect(compile(on(name), context).decide('iot:Publish', `topic/${topic}`, NOW).kind).toBe(outcome);
  });

  it.each(['+', '#', 'a/+', '*', '?', '$share', '${iot:ClientId}', '$'])(
    'client id %j never becomes a wildcard (CVE-2017-7650)',
    (clientId) => {
      const rows: Row[] = [{ Resource: [`${ARN}topicfilter/v/\${iot:ClientId}/x`, `${ARN}topic/v/\${iot:ClientId}`] }];
      const context = { ...lamp, clientId };
      for (const question of ['Subscribe topicfilter/v/+/x', 'Subscribe topicfilter/v/#/x', 'Publish topic/v/any']) {
        expect(ask(rows, question, context)).toBe('deny');
      }
      expect(compile(rows, context).decide('iot:Subscribe', `topicfilter/v/${clientId}/x`, NOW).kind).toBe('deny');
    },
  );

  it('without a value widen a Deny, so that doubt denies', () => {
    const rows: Row[] = [
      {},
      { Effect: 'Deny', Resource: `${ARN}topic/\${iot:Connection.Thing.Attributes[evil]}/secret` },
    ];
    expect(ask(rows, 'Publish topic/a/b/secret')).toBe('deny');
    expect(ask(rows, 'Publish topic/a/b/open')).toBe('allow');
  });
});

describe('conditions', () => {
  const will = { ...NOW, connectAttributes: ['LastWill'] as const, lastWillTopic: 'will/a' };
  const both = { ...NOW, connectAttributes: ['PersistentConnect', 'LastWill'] as const };
  const under = (operator: string, key: string, value: unknown): Row[] => [
    { Condition: { [operator]: { [key]: value } } },
  ];
  const attributes = (operator: string, ...value: string[]) => under(operator, 'iot:ConnectAttributes', value);
  const organisations = 'iot:Certificate.Subject.Organization.List';
  it.each<readonly [readonly Row[], PolicyRequest, Decision['kind']]>([
    [under('StringEquals', 'iot:ClientId', 'lamp-1'), NOW, 'allow'],
    [under('StringEquals', 'iot:ClientId', 'LAMP-1'), NOW, 'deny'],
    [under('StringEquals', 'iot:ClientId', 'lamp*'), NOW, 'deny'],
    [under('StringEquals', 'iot:ClientId', '${iot:Connection.Thing.ThingName}'), NOW, 'allow'],
    [under('StringEquals', 'iot:ClientId', ['x', 'lamp-1']), NOW, 'allow'],
    [under('StringEqualsIgnoreCase', 'iot:ClientId', 'LAMP-1'), NOW, 'allow'],
    [under('StringNotEquals', 'iot:ClientId', ['x', 'lamp-1']), NOW, 'deny'],
    [under('StringNotEqualsIgnoreCase', 'iot:ClientId', 'LAMP-1'), NOW, 'deny'],
    [under('StringLike', 'iot:ClientId', 'l?mp-*'), NOW, 'allow'],
    [under('StringNotLike', 'iot:ClientId', 'l?mp-*'), NOW, 'deny'],
    [under('StringEquals', 'iot:Connection.Thing.Attributes[none]', 'x'), NOW, 'deny'],
    [under('StringEquals', 'iot:ClientId', '${iot:Connection.Thing.Attributes[none]}'), NOW, 'deny'],
    [under('Bool', 'iot:Connection.Thing.IsAttached', 'true'), NOW, 'allow'],
    [under('Bool', 'iot:Connection.Thing.IsAttached', false), NOW, 'deny'],
    [under('IpAddress', 'aws:SourceIp', '192.0.2.0/24'), NOW, 'allow'],
    [under('IpAddress', 'aws:SourceIp', ['2001:db8::/32', '198.51.100.0/24']), NOW, 'deny'],
    [under('NotIpAddress', 'aws:SourceIp', '192.0.2.0/24'), NOW, 'deny'],
    [under('NumericGreaterThanEquals', 'holdfast:SecurityCounter', 7), NOW, 'allow'],
    [under('NumericGreaterThan', 'holdfast:SecurityCounter', '7'), NOW, 'deny'],
    [under('NumericLessThan', 'holdfast:CertificateAge', 11), NOW, 'allow'],
    [under('NumericLessThan', 'holdfast:CertificateAge', 11), { now: NOW.now + 5_000 }, 'deny'],
    [under('DateLessThan', 'aws:CurrentTime', '2026-11-24T00:00:00Z'), NOW, 'allow'],
    [under('DateLessThan', 'aws:CurrentTime', '2026-11-24T00:00:00Z'), { now: NOW.now + 86_400_001 }, 'deny'],
    [under('StringEquals', 'holdfast:Posture', 'proven'), NOW, 'allow'],
    [under('ArnEquals', 'iot:LastWillTopic', `${ARN}topic/will/*`), will, 'allow'],
    [under('ArnEquals', 'iot:LastWillTopic', `${ARN}topic/other`), will, 'deny'],
    [under('ArnEquals', 'iot:LastWillTopic', `${ARN}topic/will/*`), NOW, 'deny'],
    [under('ForAllValues:StringEquals', organisations, ['AnyCompany', 'Example Corp']), NOW, 'allow'],
    [under('ForAllValues:StringEquals', organisations, ['AnyCompany']), NOW, 'deny'],
    [under('ForAnyValue:StringEquals', organisations, ['AnyCompany']), NOW, 'allow'],
    [under('ForAllValues:StringEquals', 'iot:Certificate.Subject.Title.List', ['x']), NOW, 'deny'],
    [
      under('ForAnyValue:StringEquals', 'iot:Certificate.AvailableKeys', 'iot:Certificate.Subject.CommonName'),
      NOW,
      'allow',
    ],
    [attributes('ForAllValues:StringEquals', 'PersistentConnect'), NOW, 'allow'],
    [attributes('ForAllValues:StringEquals', 'PersistentConnect'), will, 'deny'],
    [attributes('ForAllValues:StringEquals', 'PersistentConnect', 'LastWill'), both, 'allow'],
    [attributes('ForAllValues:StringEquals'), NOW, 'allow'],
    [attributes('ForAllValues:StringEquals'), will, 'deny'],
    [attributes('ForAllValues:StringNotEquals', 'PersistentConnect'), will, 'allow'],
    [attributes('ForAllValues:StringNotEquals', 'PersistentConnect'), both, 'deny'],
    [attributes('ForAnyValue:StringEquals', 'PersistentConnect'), NOW, 'deny'],
    [attributes('ForAnyValue:StringEquals', 'PersistentConnect'), both, 'allow'],
  ])('%j', (rows, request, outcome) => {
    expect(ask(rows, 'Connect client/lamp-1', lamp, request)).toBe(outcome);
  });

  it('that cannot be known stop an Allow and apply a Deny', () => {
    const unknown = { StringEquals: { 'iot:ClientId': '${iot:Connection.Thing.Attributes[evil]}' } };
    expect(ask([{ Condition: unknown }], 'Publish topic/a')).toBe('deny');
    expect(ask([{}, { Effect: 'Deny', Condition: unknown }], 'Publish topic/a')).toBe('deny');
  });

  it('on the moment are asked anew each time', () => {
    const compiled = compile([{ Condition: { DateLessThan: { 'aws:CurrentTime': '2026-11-24T00:00:00Z' } } }]);
    expect(compiled.decide('iot:Publish', 'topic/a', NOW).kind).toBe('allow');
    expect(compiled.decide('iot:Publish', 'topic/a', { now: NOW.now + 86_400_001 }).kind).toBe('deny');
  });
});

describe('a document is refused when it', () => {
  const statement = { Effect: 'Allow', Action: 'iot:Publish', Resource: '*' };
  const withStatement = (change: object) => ({ Version: '2012-10-17', Statement: [{ ...statement, ...change }] });
  it.each<readonly [string, unknown]>([
    ['is empty text', undefined],
    ['is a list', []],
    ['has no version', { Statement: [statement] }],
    ['has the version that knows no variables', { Version: '2008-10-17', Statement: [statement] }],
    ['has no statement member', { Version: '2012-10-17' }],
    ['has a member nobody knows', { Version: '2012-10-17', Statement: [], Extra: 1 }],
    ['uses NotAction', withStatement({ NotAction: 'iot:Publish' })],
    ['uses NotResource', withStatement({ NotResource: '*' })],
    ['uses Principal', withStatement({ Principal: '*' })],
    ['has another effect', withStatement({ Effect: 'allow' })],
    ['has no action', withStatement({ Action: [] })],
    ['misspells an action', withStatement({ Action: 'iot:Pubish' })],
    ['names a foreign service', withStatement({ Action: 's3:GetObject' })],
    ['has a number as resource', withStatement({ Resource: 5 })],
    ['has a resource that is no ARN', withStatement({ Resource: 'topic/a' })],
    ['has an ARN cut short', withStatement({ Resource: 'arn:aws:iot:*' })],
    ['names another region', withStatement({ Resource: 'arn:aws:iot:us-east-1:000000000000:topic/a' })],
    ['names another account', withStatement({ Resource: 'arn:aws:iot:local:123456789012:topic/a' })],
    ['names an unknown resource type', withStatement({ Resource: `${ARN}topics/a` })],
    ['uses an unknown variable', withStatement({ Resource: `${ARN}topic/\${iot:Nothing}` })],
    [
      'uses a list as a variable',
      withStatement({ Resource: `${ARN}topic/\${iot:Certificate.Subject.Organization.List}` }),
    ],
    ['leaves a variable open', withStatement({ Resource: `${ARN}topic/\${iot:ClientId` })],
    ['gives a variable a default', withStatement({ Resource: `${ARN}topic/\${iot:ClientId, 'x'}` })],
    ['uses an unknown operator', withStatement({ Condition: { StringMatches: { 'iot:ClientId': 'x' } } })],
    ['uses IfExists', withStatement({ Condition: { StringEqualsIfExists: { 'iot:ClientId': 'x' } } })],
    ['uses a method of Object as an operator', withStatement({ Condition: { constructor: { 'iot:ClientId': 'x' } } })],
    ['uses an unknown key', withStatement({ Condition: { StringEquals: { 'aws:UserAgent': 'x' } } })],
    ['compares text with a number operator', withStatement({ Condition: { NumericEquals: { 'iot:ClientId': 1 } } })],
    [
      'reads a list with a plain operator',
      withStatement({ Condition: { StringEquals: { 'iot:ConnectAttributes': 'LastWill' } } }),
    ],
    ['has no value to compare', withStatement({ Condition: { StringEquals: { 'iot:ClientId': [] } } })],
    ['has a range with host bits', withStatement({ Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.1/24' } } })],
    ['has a date without a zone', withStatement({ Condition: { DateLessThan: { 'aws:CurrentTime': '2026-01-01' } } })],
    ['has too many statements', { Version: '2012-10-17', Statement: Array.from({ length: 65 }, () => statement) }],
    ['is too long', { Version: '2012-10-17', Id: 'x'.repeat(11_000), Statement: [] }],
  ])('%s', (_, value) => {
    const text = value === undefined ? '' : JSON.stringify(value);
    expect(() => parsePolicyDocument(text, DEFAULT_ARN_SCOPE)).toThrowError(coded('communication.policy_invalid'));
  });

  it('doubles a key', () => {
    const text =
      '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}';
    expect(() => parsePolicyDocument(text, DEFAULT_ARN_SCOPE)).toThrowError(coded('communication.policy_invalid'));
  });

  it('is any other text: a document or one coded error', () => {
    const json = fc.json({ maxDepth: 4 });
    fc.assert(
      fc.property(fc.oneof(fc.string(), json), (text) => {
        try {
          parsePolicyDocument(text, DEFAULT_ARN_SCOPE);
        } catch (error) {
          expect(error).toEqual(coded('communication.policy_invalid'));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('patterns', () => {
  function slow(pattern: readonly string[], text: readonly string[]): boolean {
    const [head, ...rest] = pattern;
    if (head === undefined) return text.length === 0;
    if (head === '*') return slow(rest, text) || (text.length > 0 && slow(pattern, text.slice(1)));
    return text.length > 0 && (head === '?' || head === text[0]) && slow(rest, text.slice(1));
  }
  const letters = fc.constantFrom('a', 'b', '/', '😀', '+');

  it('agree with the plain definition for any pattern and text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(letters, fc.constantFrom('*', '?', '*')), { maxLength: 8 }),
        fc.array(letters, { maxLength: 10 }),
        (pattern, text) => {
          const matches = compileMatcher(parsePattern(pattern.join(''), 'pattern'));
          expect(matches(text.join(''))).toBe(slow(pattern, text));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('finish on what exhausts a backtracking matcher', () => {
    const text = 'a'.repeat(60_000);
    for (const pattern of [`${'*a'.repeat(30)}*b`, `${'a*'.repeat(30)}b`]) {
      expect(compileMatcher(parsePattern(pattern, 'pattern'))(text)).toBe(false);
    }
  });
});

describe('built-in policies', () => {
  const claim: PolicyContext = { ...lamp, clientId: 'any', thing: undefined, posture: undefined };
  const granted = { device: [DEVICE_POLICY, PROOF_POLICY], claim: [CLAIM_POLICY] };
  it.each<readonly ['device' | 'claim', string, Decision['kind'], Decision['kind']]>([
    ['device', 'Connect client/lamp-1', 'allow', 'allow'],
    ['device', 'Connect client/lamp-2', 'deny', 'deny'],
    ['device', 'Publish topic/devices/lamp-1/state', 'allow', 'deny'],
    ['device', 'RetainPublish topic/devices/lamp-1/state', 'allow', 'deny'],
    ['device', 'Receive topic/devices/lamp-1/commands', 'allow', 'deny'],
    ['device', 'Publish topic/devices/lamp-2/state', 'deny', 'deny'],
    ['device', 'Publish topic/devices/lamp-10/state', 'deny', 'deny'],
    ['device', 'Subscribe topicfilter/devices/+/state', 'deny', 'deny'],
    ['device', 'Subscribe topicfilter/#', 'deny', 'deny'],
    ['device', 'Subscribe topicfilter/+/lamp-1/state', 'deny', 'deny'],
    ['device', 'Subscribe topicfilter/$SYS/#', 'deny', 'deny'],
    ['device', 'Publish topic/$SYS/x/new/clients', 'deny', 'deny'],
    ['device', 'Publish topic/$aws/things/lamp-1/jobs/start-next', 'allow', 'allow'],
    ['device', 'Subscribe topicfilter/$aws/things/lamp-1/jobs/notify-next', 'allow', 'allow'],
    ['device', 'Publish topic/$aws/things/lamp-2/jobs/start-next', 'deny', 'deny'],
    ['device', 'Receive topic/$aws/things/lamp-1/streams/s/data/cbor', 'allow', 'allow'],
    ['device', 'Publish topic/$aws/things/lamp-1/shadow/update', 'allow', 'deny'],
    ['device', 'Publish topic/$holdfast/things/lamp-1/evidence', 'allow', 'allow'],
    ['device', 'Publish topic/$holdfast/things/lamp-1/evidence/nonce', 'allow', 'allow'],
    ['device', 'Publish topic/$holdfast/things/lamp-1/time', 'allow', 'allow'],
    ['device', 'Publish topic/$holdfast/things/lamp-1/health', 'allow', 'allow'],
    ['device', 'Publish topic/$holdfast/things/lamp-1/ratchet', 'allow', 'allow'],
    ['device', 'Publish topic/$holdfast/things/lamp-1/ratchet/turn', 'allow', 'allow'],
    ['device', 'Publish topic/$holdfast/things/lamp-1/renewal', 'allow', 'allow'],
    ['device', 'Receive topic/$holdfast/things/lamp-2/evidence', 'deny', 'deny'],
    ['device', 'Publish topic/$aws/certificates/create/json', 'deny', 'deny'],
    ['claim', 'Connect client/lamp-1', 'allow', 'deny'],
    ['claim', 'Publish topic/$aws/certificates/create/cbor', 'allow', 'deny'],
    ['claim', 'Subscribe topicfilter/$aws/certificates/create-from-csr/json/accepted', 'allow', 'deny'],
    ['claim', 'Publish topic/$aws/provisioning-templates/lamp/provision/json', 'allow', 'deny'],
    ['claim', 'Publish topic/devices/lamp-1/state', 'deny', 'deny'],
    ['claim', 'Subscribe topicfilter/#', 'deny', 'deny'],
    ['claim', 'Subscribe topicfilter/$aws/#', 'deny', 'deny'],
    ['claim', 'Publish topic/$holdfast/things/lamp-1/evidence', 'deny', 'deny'],
  ])('%s: %s is %s, restricted: %s', (kind, question, full, restricted) => {
    const [action = '', resource = ''] = question.split(' ');
    const context = kind === 'device' ? lamp : claim;
    const outcome = (boundary: boolean) =>
      new CompiledPolicy(granted[kind], boundary ? [RESTRICTED_POLICY] : undefined, context).decide(
        `iot:${action}` as PolicyAction,
        resource,
        NOW,
      ).kind;
    expect(outcome(false)).toBe(full);
    expect(outcome(true)).toBe(restricted);
  });
});
