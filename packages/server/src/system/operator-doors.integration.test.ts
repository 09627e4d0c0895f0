import { connect } from 'node:tls';
import {
  FACTORY_OPERATIONS,
  LEAST_ROLE,
  type Operation,
  type OperationName,
  OPERATIONS,
  type OperatorRole,
} from '@holdfast/api';
import { createCsr, createSigner, generatePrivateKey } from '@holdfast/crypto';
import { encodePem } from '@holdfast/wire/pem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../testing/test-authority.ts';
import { type Credential, TestSystem } from './testing/system.ts';

const LADDER: readonly OperatorRole[] = ['viewer', 'operator', 'security'];
const ROLES: readonly OperatorRole[] = [...LADDER, 'factory'];
/** Their path takes cookies and one-time tokens, never a certificate. */
const NOT_BY_CERTIFICATE = new Set<OperationName>(['session.open', 'session.close', 'console.link']);

let system: TestSystem;
const operators: Partial<Record<OperatorRole, Credential>> = {};
beforeAll(async () => {
  system = await TestSystem.start();
  for (const role of ROLES) operators[role] = await create(`${role}-one`, role);
});
afterAll(() => system.close());

async function requestOf(name: string) {
  const key = await generatePrivateKey('P-256');
  const csr = await createCsr({ subject: [{ type: 'commonName', value: 'CN=admin' }] }, createSigner(key));
  return { name, keyPem: key.exportPem(), csrPem: encodePem('CERTIFICATE REQUEST', csr) };
}

async function create(name: string, role: OperatorRole): Promise<Credential> {
  const { csrPem, keyPem } = await requestOf(name);
  const { certificatePem } = await system.api.call('operators.create', { body: { name, role, csrPem } });
  return { keyPem, pem: certificatePem };
}

async function ask(credential: Credential | undefined, operation: Operation, body = '{}') {
  const answer = await system.https(operation.method, operation.path.replace(/\{\w+\}/g, 'x'), {
    port: system.port('management'),
    ...(credential === undefined ? {} : { credential }),
    headers: { 'content-type': operation.upload === undefined ? 'application/json' : 'application/octet-stream' },
    ...(operation.method === 'GET' ? {} : { body }),
  });
  const code = answer.status < 300 ? 'done' : (JSON.parse(answer.text || '{}') as { code?: string }).code;
  return { status: answer.status, code, text: answer.text };
}

const STATUS = OPERATIONS['status.show'];

describe('the management door for operators by certificate', () => {
  it.each(ROLES)('lets a %s do what its row of the table says, and nothing else', async (role) => {
    const wrong: unknown[] = [];
    for (const [name, operation] of Object.entries(OPERATIONS) as [OperationName, Operation][]) {
      if (NOT_BY_CERTIFICATE.has(name)) continue;
      const { code, status } = await ask(operators[role], operation);
      const isAllowed =
        role === 'factory' ? FACTORY_OPERATIONS.has(name) : LADDER.indexOf(role) >= LADDER.indexOf(LEAST_ROLE[name]);
      const isRefused = code === 'request.forbidden' && status === 403;
      if (isRefused === isAllowed || status === 401 || status === 0) wrong.push([name, status, code]);
    }
    expect(wrong).toEqual([]);
  });

  it('writes down who asked for too much', async () => {
    await ask(await create('wanda', 'viewer'), OPERATIONS['devices.revoke']);
    await expect
      .poll(async () => (await system.api.call('audit.list', { query: { action: 'operator.refused' } })).rows)
      .toContainEqual(expect.objectContaining({ actor: 'operator:wanda', subject: 'devices.revoke' }));
  });

  it('is closed to nobody, devices, claims, servers and strangers', async () => {
    await system.addProduct('lamp');
    const device = await system.enroll('lamp-1');
    const claim = await system.addClaim({ product: 'lamp' });
    const stranger = new TestAuthority('Holdfast Issuing CA').issue({ profile: 'operator', name: 'security-one' });
    const shown = [undefined, device, { keyPem: claim.privateKeyPem, pem: claim.certificatePem }, stranger];
    for (const credential of shown) {
      expect(await ask(credential, STATUS)).toMatchObject({ status: 401, code: 'request.unauthenticated' });
    }
  });

  it('acts in the name of the registry, not of the request', async () => {
    await create('carol', 'security').then((carol) =>
      ask(carol, OPERATIONS['products.create'], JSON.stringify({ name: 'lock', evidence: 'none' })),
    );
    const { rows } = await system.api.call('audit.list', { query: { subject: 'lock' } });
    expect(rows.map(({ actor }) => actor)).toContain('operator:carol');
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is shut in the moment of revocation, resumed sessions too, %s',
    async (v) => {
      const name = `mallory-${v.toLowerCase()}`;
      const mallory = await create(name, 'operator');
      const options = {
        host: '127.0.0.1',
        port: system.port('management'),
        ca: system.ca,
        key: mallory.keyPem,
        cert: mallory.pem,
        servername: 'localhost',
        maxVersion: v,
      };
      const open = connect(options);
      const ticket = new Promise<Buffer>((resolve) => open.on('session', resolve));
      open.on('error', () => undefined);
      open.write(`GET ${STATUS.path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
      const first = await new Promise<string>((resolve) => open.once('data', (chunk) => resolve(String(chunk))));
      expect(first).toMatch(/^HTTP\/1\.1 200/);
      const session = await ticket;
      const again = () =>
        system.https('GET', STATUS.path, {
          port: system.port('management'),
          credential: mallory,
          tls: { session, maxVersion: v },
        });
      expect((await again()).status).toBe(200);
      const cut = new Promise((resolve) => open.once('close', resolve));
      await system.api.call('operators.revoke', { operator: name });
      await cut;
      expect((await again()).status).toBe(401);
      expect(await ask(mallory, STATUS)).toMatchObject({ status: 401 });
    },
  );

  it('follows a change of role on the next request', async () => {
    const dave = await create('dave', 'viewer');
    const policy = OPERATIONS['policies.remove'];
    expect(await ask(dave, policy)).toMatchObject({ code: 'request.forbidden' });
    await system.api.call('operators.change-role', { operator: 'dave', body: { role: 'security' } });
    expect((await ask(dave, policy)).code).not.toBe('request.forbidden');
  });

  it('gives a name once, and never to a second key or from a used one', async () => {
    const { csrPem } = await requestOf('erin');
    const createAs = (name: string, csr = csrPem) =>
      system.code(system.api.call('operators.create', { body: { name, role: 'viewer', csrPem: csr } }));
    expect(await createAs('erin')).toBe('done');
    expect(await createAs('erin', (await requestOf('erin')).csrPem)).toBe('identity.operator_exists');
    expect(await createAs('frank')).toBe('identity.key_reuse');
    for (const name of ['local', 'console', 'Erin', 'a b', '../x']) {
      expect(await createAs(name, (await requestOf('x')).csrPem)).toBe('identity.bad_operator_name');
    }
    await system.api.call('operators.revoke', { operator: 'erin' });
    expect(await createAs('erin', (await requestOf('erin')).csrPem)).toBe('identity.operator_exists');
    const again = await requestOf('erin');
    const certified = system.api.call('operators.certify', { operator: 'erin', body: { csrPem: again.csrPem } });
    expect(await system.code(certified)).toBe('identity.operator_revoked');
  });
});
