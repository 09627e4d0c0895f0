import { ManualClock, silentLog } from '@holdfast/kernel';
import {
  encodeAlgorithm,
  encodeFromTemplate,
  encodeName,
  encodeSigned,
  OID,
  prepareTemplate,
} from '@holdfast/wire/x509';
import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type {
  AuditFact,
  CertificateRecord,
  DeviceRecord,
  DeviceState,
  DomainEvent,
  PolicyRecord,
  PolicyTarget,
  ProductRecord,
  Write,
} from '../ports/index.ts';
import type { DevicePosture } from '../posture/index.ts';
import type { OperatorPrincipal } from '../principal.ts';
import { certificateFacts } from './certificate-facts.ts';
import { Explainer } from './explainer.ts';
import { Policies } from './policies.ts';
import { type AdmittedPeer, PolicyAuthority } from './policy-authority.ts';
import { DEFAULT_ARN_SCOPE } from './resource.ts';

const T = 'default';
const ARN = 'arn:aws:iot:*:*:';
const alice: OperatorPrincipal = { kind: 'operator', tenant: T, name: 'alice', via: 'socket' };
const coded = (code: string) => expect.objectContaining({ code });

/** A certificate with several names of a kind, as another authority might have made it. */
function certificateDer(): Uint8Array {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = encodeAlgorithm(OID.ecdsaWithSha256);
  const issuerName = encodeName([{ type: 'commonName', value: 'Issuing CA' }]);
  const tbs = encodeFromTemplate(prepareTemplate({ profile: 'device-ldevid', issuerName, algorithm }), {
    serial: Uint8Array.of(0x1a, 2),
    validity: { notBefore: Date.UTC(2026, 0), notAfter: Date.UTC(2027, 0) },
    subject: encodeName([
      { type: 'organization', value: 'Example Corp' },
      { type: 'organization', value: 'AnyCompany' },
      { type: 'commonName', value: 'lamp-1' },
    ]),
    spki: publicKey.export({ format: 'der', type: 'spki' }),
    subjectKeyIdentifier: new Uint8Array(20),
    subjectAltName: [
      { kind: 'dns', text: 'lamp.example' },
      { kind: 'uri', text: 'urn:lamp:1' },
      { kind: 'email', text: 'lamp@example' },
      { kind: 'ip', bytes: Uint8Array.of(192, 0, 2, 1) },
    ],
  });
  return encodeSigned(tbs, algorithm, new Uint8Array(64));
}

const der = certificateDer();

describe('the facts of a certificate', () => {
  it('are read by their types, every value of each', () => {
    expect(certificateFacts(der)).toEqual({
      serialNumber: '1a02',
      notBefore: Date.UTC(2026, 0),
      issuer: { CommonName: ['Issuing CA'] },
      subject: {
        CommonName: ['lamp-1'],
        Organization: ['Example Corp', 'AnyCompany'],
        'AlternativeName.DNSName': ['lamp.example'],
        'AlternativeName.UniformResourceIdentifier': ['urn:lamp:1'],
        'AlternativeName.RFC822Name': ['lamp@example'],
        'AlternativeName.IPAddress': ['192.0.2.1'],
      },
    });
  });
});

interface TestWrite extends Write {
  readonly run: () => void;
}

const write = (run: () => void): TestWrite => ({ kind: 'test', run });
const byName = (records: Map<string, PolicyRecord>) => [...records.keys()].sort();

let records: Map<string, PolicyRecord>;
let attachments: { readonly name: string; readonly target: PolicyTarget }[];
let facts: AuditFact[];
let events: DomainEvent[];
let device: DeviceRecord;
let certificateState: CertificateRecord['state'];
let product: Partial<ProductRecord> | undefined;
let posture: Pick<DevicePosture, 'rights'>;
let policies: Policies;
let authority: PolicyAuthority;
let explainer: Explainer;

const repository = {
  find: (_: string, name: string) => Promise.resolve(records.get(name)),
  list: () => Promise.resolve({ rows: [...records.values()], next: undefined }),
  attachedTo: (_: string, { id, kind }: PolicyTarget) =>
    Promise.resolve(
      attachments.filter(({ target }) => target.id === id && target.kind === kind).map(({ name }) => name),
    ),
  reaching: (_: string, deviceId: string) =>
    Promise.resolve(
      attachments.filter(({ target }) => [deviceId, 'floor-1'].includes(target.id)).map(({ name }) => name),
    ),
  targetsOf: (_: string, name: string) =>
    Promise.resolve(attachments.filter((each) => each.name === name).map(({ target }) => target)),
  inserting: (policy: PolicyRecord) => write(() => records.set(policy.name, policy)),
  changing: (from: PolicyRecord, to: object) =>
    write(() => records.set(from.name, { ...from, ...to, version: from.version + 1 })),
  removing: (policy: PolicyRecord) => write(() => records.delete(policy.name)),
  attaching: (_: string, name: string, target: PolicyTarget) => write(() => attachments.push({ name, target })),
  detaching: (_: string, name: string, target: PolicyTarget) =>
    write(() => {
      attachments = attachments.filter((each) => each.name !== name || each.target.id !== target.id);
    }),
};

beforeEach(() => {
  records = new Map();
  attachments = [];
  facts = [];
  events = [];
  product = { policies: [], restrictedPolicies: [] };
  posture = { rights: 'full' };
  certificateState = 'active';
  device = { tenant: T, deviceId: 'lamp-1', product: 'lamp', attributes: { zone: 'north' }, state: 'active' } as never;
  const devices = {
    find: (_: string, deviceId: string) => Promise.resolve(deviceId === 'lamp-1' ? device : undefined),
  };
  const clock = new ManualClock();
  policies = new Policies({
    policies: repository,
    devices,
    clock,
    scopeOf: () => DEFAULT_ARN_SCOPE,
    store: {
      commit: (writes) => {
        for (const each of writes as readonly TestWrite[]) each.run();
        return Promise.resolve();
      },
    },
    audit: { entry: (fact) => write(() => facts.push(fact)) },
    outbox: { event: (event) => write(() => events.push(event)) },
  });
  authority = new PolicyAuthority({
    policies: repository,
    products: { find: () => Promise.resolve(product as ProductRecord | undefined) },
    posture: {
      describe: () =>
        Promise.resolve({ posture: 'proven', reasons: [], since: undefined, evidence: undefined, ...posture }),
    },
    clock,
    log: silentLog,
    scopeOf: () => DEFAULT_ARN_SCOPE,
  });
  explainer = new Explainer({
    devices,
    certificates: { ofDevice: () => Promise.resolve([certificate()]) },
    authority,
  });
});

function certificate(): CertificateRecord {
  return { fingerprint: 'f', der, state: certificateState } as CertificateRecord;
}

function peer(): AdmittedPeer {
  const principal = { kind: 'device', tenant: T, deviceId: 'lamp-1', fingerprint: 'f' } as const;
  return { kind: 'device', principal, device, certificate: certificate() };
}

const document = (effect: 'Allow' | 'Deny', action: string, resource: string): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: effect, Action: action, Resource: `${ARN}${resource}` }],
  });

async function may(verb: 'publish' | 'connect' | 'receive', resource: string): Promise<boolean> {
  const rights = await authority.rightsOf(peer(), { clientId: 'lamp-1', remoteAddress: '192.0.2.9' });
  const wish = { clientId: resource, persistent: false, will: undefined };
  const decision = verb === 'connect' ? rights.connect(wish) : rights[verb](resource, false);
  return decision.kind === 'allow';
}

describe('policies', () => {
  const all = document('Allow', 'iot:*', '*');

  it('are created and changed in versions, each audited and announced', async () => {
    expect(await policies.put(alice, 'p', all)).toMatchObject({ version: 1 });
    expect(await policies.put(alice, 'p', all)).toMatchObject({ version: 2 });
    expect(facts.map(({ action, actor, subject }) => [action, actor, subject])).toEqual([
      ['policy.created', 'operator:alice', 'p'],
      ['policy.changed', 'operator:alice', 'p'],
    ]);
    expect(events).toMatchObject([
      { name: 'policy.changed', subject: 'p' },
      { name: 'policy.changed', subject: 'p' },
    ]);
  });

  it.each(['', 'a b', 'holdfast:device', 'x'.repeat(129), 'a/b', 'é'])('are not called %j', async (name) => {
    await expect(policies.put(alice, name, all)).rejects.toThrowError(coded('communication.policy_invalid'));
  });

  it('that cannot be enforced are not stored', async () => {
    await expect(policies.put(alice, 'p', '{}')).rejects.toThrowError(coded('communication.policy_invalid'));
    expect([byName(records), facts]).toEqual([[], []]);
  });

  it('are attached to what exists and stay while they are', async () => {
    const target = { kind: 'device', id: 'lamp-1' } as const;
    await expect(policies.attach(alice, 'p', target)).rejects.toThrowError(coded('communication.policy_unknown'));
    await policies.put(alice, 'p', all);
    const nobody = { kind: 'device', id: 'x' } as const;
    await expect(policies.attach(alice, 'p', nobody)).rejects.toThrowError(coded('identity.unknown_device'));
    await policies.attach(alice, 'p', target);
    expect(events.at(-1)?.data).toEqual({ targetKind: 'device', targetId: 'lamp-1' });
    await expect(policies.remove(alice, 'p')).rejects.toThrowError(coded('communication.policy_in_use'));
    await policies.detach(alice, 'p', target);
    await policies.remove(alice, 'p');
    await expect(policies.show(T, 'p')).rejects.toThrowError(coded('communication.policy_unknown'));
  });

  it('are no more than ten to a target', async () => {
    for (let i = 0; i < 11; i++) await policies.put(alice, `p${i}`, all);
    const target = { kind: 'group', id: 'g' } as const;
    for (let i = 0; i < 10; i++) await policies.attach(alice, `p${i}`, target);
    await expect(policies.attach(alice, 'p10', target)).rejects.toThrowError(coded('communication.too_many_policies'));
    await policies.attach(alice, 'p9', target);
  });
});

describe('the rights of a device', () => {
  it('are its own corner while nothing is attached', async () => {
    expect(await may('connect', 'lamp-1')).toBe(true);
    expect(await may('publish', 'devices/lamp-1/x')).toBe(true);
    expect(await may('publish', 'devices/lamp-2/x')).toBe(false);
  });

  it.each<readonly [string, () => void]>([
    [
      'its product',
      () => {
        product = { policies: ['p'], restrictedPolicies: [] };
      },
    ],
    [
      'its group',
      () => {
        attachments = [{ name: 'p', target: { kind: 'group', id: 'floor-1' } }];
      },
    ],
    [
      'itself',
      () => {
        attachments = [{ name: 'p', target: { kind: 'device', id: 'lamp-1' } }];
      },
    ],
  ])('are what is attached to %s, beside proving itself', async (_, attach) => {
    await policies.put(alice, 'p', document('Allow', 'iot:Publish', 'topic/x'));
    attach();
    expect(await may('publish', 'x')).toBe(true);
    expect(await may('publish', 'devices/lamp-1/x')).toBe(false);
    expect(await may('connect', 'lamp-1')).toBe(false);
    expect(await may('publish', '$holdfast/things/lamp-1/evidence')).toBe(true);
  });

  it('are none at all while one of its policies is missing or unreadable (CVE-2018-12550)', async () => {
    await policies.put(alice, 'p', document('Allow', 'iot:*', 'topic/*'));
    product = { policies: ['p', 'gone'], restrictedPolicies: [] };
    expect(await may('publish', 'x')).toBe(false);
    expect(await may('publish', '$holdfast/things/lamp-1/evidence')).toBe(false);
    product = { policies: ['p'], restrictedPolicies: [] };
    expect(await may('publish', 'x')).toBe(true);
    for (const broken of [
      '',
      '{"Version":"2012-10-17","Statement":[{"Effe',
      '{"Version":"2012-10-17","Statement":"*"}',
    ]) {
      const record = records.get('p') as PolicyRecord;
      records.set('p', { ...record, document: broken, version: record.version + 1 });
      expect(await may('publish', 'x')).toBe(false);
    }
  });

  it('follow a changed document at once', async () => {
    product = { policies: ['p'], restrictedPolicies: [] };
    await policies.put(alice, 'p', document('Allow', 'iot:Publish', 'topic/x'));
    expect(await may('publish', 'x')).toBe(true);
    await policies.put(alice, 'p', document('Deny', 'iot:Publish', 'topic/x'));
    expect(await may('publish', 'x')).toBe(false);
  });

  it('are update and proof while restricted, and nothing without standing', async () => {
    posture = { rights: 'restricted' };
    expect(await may('publish', 'devices/lamp-1/x')).toBe(false);
    expect(await may('publish', '$aws/things/lamp-1/jobs/start-next')).toBe(true);
    posture = { rights: 'none' };
    expect(await may('connect', 'lamp-1')).toBe(false);
    expect(await may('publish', '$holdfast/things/lamp-1/evidence')).toBe(false);
  });

  it('while restricted are what the product says, and always proof', async () => {
    posture = { rights: 'restricted' };
    product = { policies: [], restrictedPolicies: ['slow'] };
    await policies.put(alice, 'slow', document('Allow', 'iot:*', 'topic/devices/*'));
    expect(await may('publish', 'devices/lamp-1/x')).toBe(true);
    expect(await may('publish', 'devices/lamp-2/x')).toBe(false);
    expect(await may('publish', '$aws/things/lamp-1/jobs/start-next')).toBe(false);
    expect(await may('publish', '$holdfast/things/lamp-1/evidence')).toBe(true);
  });

  it('know the device, its certificate and its address', async () => {
    product = { policies: ['p'], restrictedPolicies: [] };
    const statement = {
      Effect: 'Allow',
      Action: 'iot:Publish',
      Resource: `${ARN}topic/\${iot:Connection.Thing.Attributes[zone]}/\${iot:Certificate.Subject.Organization.1}/\${iot:Connection.Thing.ThingTypeName}`,
      Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
    };
    await policies.put(alice, 'p', JSON.stringify({ Version: '2012-10-17', Statement: statement }));
    expect(await may('publish', 'north/AnyCompany/lamp')).toBe(true);
  });
});

describe('an explanation', () => {
  const ask = (verb: 'connect' | 'publish' | 'publish-retained' | 'subscribe' | 'receive', resource: string) =>
    explainer
      .explain({ tenant: T, deviceId: 'lamp-1', from: '192.0.2.1' }, [{ verb, resource }])
      .then(([first]) => first);

  it.each([
    ['connect', 'lamp-1', 'allow', 'connect'],
    ['connect', 'lamp-2', 'deny', undefined],
    ['publish', 'devices/lamp-1/a', 'allow', 'talk'],
    ['publish-retained', 'devices/lamp-1/a', 'allow', 'retain'],
    ['publish-retained', '$aws/things/lamp-1/shadow/update', 'deny', undefined],
    ['subscribe', 'devices/lamp-1/#', 'allow', 'listen'],
    ['subscribe', '$share/g/devices/lamp-1/#', 'allow', 'listen'],
    ['subscribe', '$share/g/#', 'deny', undefined],
    ['receive', 'devices/lamp-2/a', 'deny', undefined],
  ] as const)('of %s %s is %s by %s', async (verb, resource, kind, sid) => {
    expect(await ask(verb, resource)).toMatchObject({
      decision: { kind, by: sid === undefined ? undefined : { policy: 'holdfast:device', sid } },
      level: 'full',
      policies: ['holdfast:device'],
    });
  });

  it('of a shared filter names a Deny on the group as well', async () => {
    product = { policies: ['p'], restrictedPolicies: [] };
    const statements = [
      { Effect: 'Allow', Action: 'iot:Subscribe', Resource: '*' },
      { Sid: 'noShare', Effect: 'Deny', Action: 'iot:Subscribe', Resource: `${ARN}topicfilter/$share/*` },
    ];
    await policies.put(alice, 'p', JSON.stringify({ Version: '2012-10-17', Statement: statements }));
    expect((await ask('subscribe', '$share/g/a'))?.decision).toMatchObject({ kind: 'deny', by: { sid: 'noShare' } });
    expect((await ask('subscribe', 'a'))?.decision.kind).toBe('allow');
  });

  it.each<DeviceState>(['suspended', 'quarantined', 'revoked', 'archived'])(
    'of a device that is %s is no',
    async (state) => {
      device = { ...device, state };
      expect(await ask('connect', 'lamp-1')).toMatchObject({
        level: 'none',
        decision: { kind: 'deny', layer: 'identity' },
      });
    },
  );

  it('of a revoked certificate is no, and of an unknown device none', async () => {
    certificateState = 'revoked';
    expect((await ask('connect', 'lamp-1'))?.decision.kind).toBe('deny');
    await expect(explainer.explain({ tenant: T, deviceId: 'x', from: '' }, [])).rejects.toThrowError(
      coded('identity.unknown_device'),
    );
  });
});
