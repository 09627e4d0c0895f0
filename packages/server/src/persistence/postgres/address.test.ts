import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HoldfastError } from '@holdfast/kernel';
import { afterAll, describe, expect, it } from 'vitest';
import { type PostgresWish, resolvePostgres } from './address.ts';

const SECRET = 'p:w/@#d';
const FULL = `postgres://holdfast:${encodeURIComponent(SECRET)}@db.example:6000/fleet`;
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-address-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const at = path.join(folder, name);
  writeFileSync(at, text);
  return at;
}

const CA = file('ca.pem', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n');

function resolve(wish: Partial<PostgresWish>) {
  return resolvePostgres({
    store: '',
    password: undefined,
    ca: undefined,
    plaintext: false,
    environment: { PGPASSFILE: '/nowhere' },
    ...wish,
  });
}

describe('the address of the database', () => {
  it('may hold a password where only its owner reads it: a file or a variable', () => {
    const found = { host: 'db.example', port: 6000, user: 'holdfast', database: 'fleet', password: SECRET };
    expect(resolve({ store: `file:${file('url', `${FULL}\n`)}` })).toEqual({ ...found, tls: { ca: undefined } });
    const environment: Record<string, string | undefined> = { DATABASE: FULL, PGPASSWORD: 'another' };
    expect(resolve({ store: 'env:DATABASE', environment })).toMatchObject(found);
    expect(environment).toEqual({ PGPASSWORD: 'another' });
  });

  it('takes the password of another reference, or none', () => {
    const store = 'postgres://holdfast@db.example/fleet';
    const password = `file:${file('password', `${SECRET}\n`)}`;
    expect(resolve({ store, password })).toMatchObject({ port: 5432, password: SECRET });
    expect(resolve({ store }).password).toBeUndefined();
    expect(resolve({ store, environment: { PGPASSWORD: SECRET } }).password).toBe(SECRET);
  });

  it.each([
    ['postgres://u@db.example/d', undefined, { ca: undefined }],
    ['postgres://u@db.example/d', CA, { ca: expect.stringContaining('CERTIFICATE') as string }],
    ['postgres://u@db.example/d?sslmode=verify-full', undefined, { ca: undefined }],
    ['postgres://u@127.0.0.1/d', undefined, false],
    ['postgres://u@[::1]/d', undefined, false],
    ['postgres://u@localhost/d?sslmode=verify-full', undefined, { ca: undefined }],
    ['postgres://u@localhost/d', CA, { ca: expect.stringContaining('CERTIFICATE') as string }],
    ['postgres://u@localhost/d?host=/run/postgresql', undefined, false],
  ])('%s is met as it proves itself', (store, ca, tls) => {
    expect(resolve({ store, ca }).tls).toEqual(tls);
  });

  it('lets records leave this machine in clear only when told so twice', () => {
    const store = 'postgres://u@db.example/d?sslmode=disable';
    expect(resolve({ store, plaintext: true }).tls).toBe(false);
    expect(resolve({ store: 'postgres://u@db.example/d', plaintext: true }).tls).toEqual({ ca: undefined });
  });

  it.each([
    ['plaintext to another machine', { store: 'postgres://u@db.example/d?sslmode=disable' }],
    ['plaintext to a host that calls itself local', { store: 'postgres://u@127.0.0.1.example/d?sslmode=disable' }],
    ['a mode that believes any certificate', { store: 'postgres://u@db.example/d?sslmode=require' }],
    ['a mode that looks at no name', { store: 'postgres://u@db.example/d?sslmode=verify-ca' }],
    ['a setting nobody knows', { store: 'postgres://u@db.example/d?sslrootcert=x' }],
    ['another protocol', { store: 'mysql://u@db.example/d' }],
    ['no address', { store: 'postgres' }],
    ['no host', { store: 'postgres:///d' }],
    ['a password in the clear setting', { store: FULL }],
    ['a variable that is not set', { store: 'env:NOWHERE' }],
    ['a file that is not there', { store: `file:${folder}/nowhere` }],
    ['an empty password', { store: 'postgres://u@h/d', password: `file:${file('empty', '\n')}` }],
    ['authorities that are none', { store: 'postgres://u@h/d', ca: file('none.pem', 'x') }],
  ])('is refused with %s, and never told again', (_name, wish) => {
    const failure = (() => {
      try {
        resolve(wish);
        return undefined;
      } catch (error) {
        return error;
      }
    })();
    expect(HoldfastError.is(failure, 'store.bad_address')).toBe(true);
    const words = JSON.stringify(failure, ['code', 'details', 'field', 'reason', 'message', 'stack']);
    expect(words).not.toContain(SECRET);
    expect(words).not.toContain(encodeURIComponent(SECRET));
  });
});
