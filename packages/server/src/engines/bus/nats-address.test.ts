import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { resolveNats } from './nats-address.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bus-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (text: string): string => {
  const name = path.join(folder, 'secret');
  writeFileSync(name, text);
  return `file:${name}`;
};
const wish = { credentials: undefined, ca: undefined, plaintext: false, environment: {} };

describe('the address of the bus', () => {
  it('takes several servers, and the usual port where none is named', () => {
    const { servers, tls } = resolveNats({ ...wish, bus: 'tls://a.example, tls://b.example:5222' });
    expect(servers).toEqual(['a.example:4222', 'b.example:5222']);
    expect(tls).toEqual({ ca: undefined });
  });

  it.each(['nats://localhost', 'nats://127.0.0.2:4222', 'nats://[::1]:4222'])('is plaintext at %s', (bus) => {
    expect(resolveNats({ ...wish, bus }).tls).toBe(false);
  });

  it.each(['nats://bus.example', 'nats://10.0.0.1', 'nats://localhost,nats://10.0.0.1', 'nats://127.0.0.1.example'])(
    'is not plaintext to %s unless that is said',
    (bus) => {
      expect(() => resolveNats({ ...wish, bus })).toThrow(expect.objectContaining({ code: 'server.bad_config' }));
      expect(resolveNats({ ...wish, bus, plaintext: true }).tls).toBe(false);
    },
  );

  it.each(['tls://10.0.0.1', 'tls://[::1]:4222', 'tls://a.example,tls://10.0.0.2'])(
    'is not %s: a certificate is held against a name',
    (bus) => {
      expect(() => resolveNats({ ...wish, bus })).toThrow(expect.objectContaining({ code: 'server.bad_config' }));
    },
  );

  it.each(['redis://localhost', 'nats://', 'nats://user:secret@localhost', 'localhost:4222'])('is not %s', (bus) => {
    expect(() => resolveNats({ ...wish, bus })).toThrow(expect.objectContaining({ code: 'server.bad_config' }));
  });

  it('tells a credentials file, a name with a password and a token apart', () => {
    const login = (text: string) => resolveNats({ ...wish, bus: 'nats://localhost', credentials: file(text) }).login;
    expect(login('-----BEGIN NATS USER JWT-----\nx')).toEqual({
      kind: 'creds',
      text: '-----BEGIN NATS USER JWT-----\nx',
    });
    expect(login('node:pass:word\n')).toEqual({ kind: 'user', user: 'node', password: 'pass:word' });
    expect(login('token')).toEqual({ kind: 'token', token: 'token' });
  });

  it('takes a secret out of the environment, and refuses an empty one', () => {
    const environment: Record<string, string | undefined> = { BUS: 'token' };
    const asked = { ...wish, bus: 'nats://localhost', credentials: 'env:BUS', environment };
    expect(resolveNats(asked).login).toEqual({ kind: 'token', token: 'token' });
    expect(environment).toEqual({});
    expect(() => resolveNats(asked)).toThrow(expect.objectContaining({ code: 'server.bad_config' }));
  });
});
