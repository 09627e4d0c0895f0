import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolvePostgres } from '../../../packages/server/src/persistence/postgres/address.ts';
import { openPostgres } from '../../../packages/server/src/persistence/postgres/open.ts';
import { TestAuthority } from '../../../packages/server/src/testing/test-authority.ts';
import { PostgresCluster } from '../world/postgres-cluster.ts';

const authority = new TestAuthority('database authority');
const stranger = new TestAuthority('somebody else');
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-address-'));
const pem = (name: string, text: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};
const own = pem('own.pem', authority.root.pem);
const other = pem('other.pem', stranger.root.pem);

let cluster: PostgresCluster;
beforeAll(async () => {
  const { keyPem, pem: certificatePem } = authority.issue({ profile: 'server', name: 'localhost' });
  cluster = await PostgresCluster.start({ keyPem, certificatePem });
});
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

function code(host: string, ca: string | undefined, password = cluster.password): Promise<unknown> {
  const wish = {
    store: `postgres://postgres@${host}:${cluster.port}/postgres?sslmode=${ca === undefined ? 'disable' : 'verify-full'}`,
    password: 'env:PASSWORD',
    ca,
    plaintext: false,
    environment: { PASSWORD: password },
  };
  return openPostgres({ address: resolvePostgres(wish), clock: systemClock }).then(
    (opened) => opened.close().then(() => 'open'),
    (error: unknown) => {
      expect(JSON.stringify(error, ['message', 'code', 'details', 'cause', 'stack'])).not.toContain(password);
      return (error as { readonly code: string }).code;
    },
  );
}

describe('the way to PostgreSQL', () => {
  it('is open to the right password, in clear on this machine and over TLS', async () => {
    expect([await code('127.0.0.1', undefined), await code('localhost', own)]).toEqual(['open', 'open']);
  });

  it.each([
    ['a wrong password', 'localhost', () => own, 'wrong'],
    ['a certificate of another authority', 'localhost', () => other, undefined],
    ['a certificate of another name', '127.0.0.1', () => own, undefined],
  ])('is shut to %s', async (_name, host, ca, password) => {
    expect(await code(host, ca(), password)).toBe('store.unavailable');
  });
});
