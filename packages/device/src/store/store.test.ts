import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generatePrivateKey } from '@holdfast/crypto';
import { encodeUtf8 } from '@holdfast/kernel';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestAuthority } from '../testing/test-authority.ts';
import { type DeviceStore, FileStore, MemoryStore } from './device-store.ts';
import { IdentityStore } from './identity-store.ts';
import { JsonRecord } from './json-record.ts';
import { FileKeyStore } from '../keys/file-key-store.ts';

let folder: string;
let authority: TestAuthority;

beforeAll(async () => {
  authority = await TestAuthority.create();
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

describe('the file store', () => {
  it('keeps files that only their owner may read, and leaves nothing beside them', () => {
    const store = new FileStore(join(folder, 'device'));
    store.write('a', Uint8Array.of(1, 2));
    store.write('a', Uint8Array.of(3));
    expect(store.read('a')).toEqual(Uint8Array.of(3));
    expect(readdirSync(join(folder, 'device'))).toEqual(['a']);
    expect(statSync(join(folder, 'device', 'a')).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'device')).mode & 0o777).toBe(0o700);
    store.remove('a');
    store.remove('a');
    expect(store.read('a')).toBeUndefined();
  });

  it('reads the old content when a write was cut before its rename', () => {
    const store = new FileStore(folder);
    store.write('a', Uint8Array.of(1));
    writeFileSync(join(folder, 'a.new'), 'half');
    expect(store.read('a')).toEqual(Uint8Array.of(1));
    store.write('a', Uint8Array.of(2));
    expect(store.read('a')).toEqual(Uint8Array.of(2));
  });

  it('names the file of its own that is not JSON', () => {
    const store = new MemoryStore();
    store.write('x.json', encodeUtf8('{'));
    expect(() => new JsonRecord(store, 'x.json').load()).toThrow(
      expect.objectContaining({ code: 'device.folder_damaged' }),
    );
  });
});

/** Fails the write with this number, as a loss of power would. */
class FailingStore implements DeviceStore {
  readonly inner = new MemoryStore();
  failAt = Number.POSITIVE_INFINITY;
  #writes = 0;

  read(name: string): Uint8Array | undefined {
    return this.inner.read(name);
  }

  write(name: string, bytes: Uint8Array): void {
    if (++this.#writes === this.failAt) throw new Error('power');
    this.inner.write(name, bytes);
  }

  remove(name: string): void {
    if (++this.#writes === this.failAt) throw new Error('power');
    this.inner.remove(name);
  }
}

describe('the identity store', () => {
  it('repeats a request with the same key until its certificate is there', async () => {
    const store = new MemoryStore();
    const first = await new IdentityStore(store, new FileKeyStore(store)).pendingKey();
    const again = await new IdentityStore(store, new FileKeyStore(store)).pendingKey();
    expect(again.publicKey.spki).toEqual(first.publicKey.spki);
  });

  it('keeps what was issued for a key of the server until it is the identity', async () => {
    const store = new MemoryStore();
    const open = (): IdentityStore => new IdentityStore(store, new FileKeyStore(store));
    const key = await generatePrivateKey('P-256');
    const issued = await authority.device('hub-1', key.publicKey.spki);
    expect(open().pendingCertificate()).toBeUndefined();
    await open().replacePendingKey(key, issued);
    expect(open().pendingCertificate()).toEqual(issued);
    const identity = await open().adopt(issued);
    expect(identity.key.publicKey.spki).toEqual(key.publicKey.spki);
    expect(open().pendingCertificate()).toBeUndefined();
  });

  it('never has an issued certificate beside another key, whatever write fails', async () => {
    for (let failAt = 1; failAt < 12; failAt++) {
      const store = new FailingStore();
      const open = (): IdentityStore => new IdentityStore(store, new FileKeyStore(store));
      const replace = async (): Promise<void> => {
        const key = await generatePrivateKey('P-256');
        const certificatePem = await authority.device('hub-1', key.publicKey.spki);
        await open().replacePendingKey(key, certificatePem);
      };
      await replace();
      store.failAt = failAt + 4;
      await replace().catch(() => undefined);
      store.failAt = Number.POSITIVE_INFINITY;
      const issued = open().pendingCertificate();
      if (issued !== undefined) expect((await open().adopt(issued)).deviceId).toBe('hub-1');
    }
  });

  it('refuses a certificate for another key', async () => {
    const store = new MemoryStore();
    const identities = new IdentityStore(store, new FileKeyStore(store));
    await identities.pendingKey();
    const other = await generatePrivateKey('P-256');
    const pem = await authority.device('hub-1', other.publicKey.spki);
    await expect(identities.adopt(pem)).rejects.toMatchObject({ code: 'device.enrollment_rejected' });
    expect(await identities.load()).toBeUndefined();
  });

  it('goes on with either identity until the server let the device in with one, and keeps that one alone', async () => {
    const store = new MemoryStore();
    const keys = new FileKeyStore(store);
    const open = (): IdentityStore => new IdentityStore(store, keys);
    const adopt = async (): Promise<string> => {
      const key = await open().pendingKey();
      return (await open().adopt(await authority.device('hub-1', key.publicKey.spki))).certificatePem;
    };
    const shown = async (): Promise<string | undefined> => (await open().load())?.certificatePem;
    const first = await adopt();
    open().tryOther();
    expect(await shown()).toBe(first);
    await open().confirm();
    const second = await adopt();
    expect(await shown()).toBe(second);
    for (const expected of [first, second, first]) {
      open().tryOther();
      expect(await shown()).toBe(expected);
    }
    await open().confirm();
    open().tryOther();
    expect(await shown()).toBe(first);
    const kept = await Promise.all(['identity-a', 'identity-b', 'identity-c'].map((name) => keys.load(name)));
    expect(kept.filter((key) => key !== undefined)).toHaveLength(1);
  });

  it.each(Array.from({ length: 12 }, (_, at) => at + 1))(
    'is let in by a server that ends the old certificate at the first use of the new: power lost at write %d',
    async (failAt) => {
      const store = new FailingStore();
      const open = (): IdentityStore => new IdentityStore(store, new FileKeyStore(store));
      const server = { active: '', successor: '' };
      /** One boot and its connection; the first use of a new certificate is the end of the one before it. */
      const boot = async (): Promise<boolean> => {
        const shown = (await open().load())?.certificatePem;
        if (shown === server.successor) Object.assign(server, { active: shown, successor: '' });
        if (shown === server.active) await open().confirm();
        else open().tryOther();
        return shown === server.active;
      };
      const renew = async (): Promise<string> => {
        const key = await open().pendingKey();
        const issued = await authority.device('hub-1', key.publicKey.spki);
        server[server.active === '' ? 'active' : 'successor'] = issued;
        await open().adopt(issued);
        return issued;
      };
      await renew();
      await boot();
      store.failAt = failAt + 4;
      try {
        await renew();
        await boot();
        await renew();
        await boot();
      } catch {
        // Power was lost; it comes back.
      }
      store.failAt = Number.POSITIVE_INFINITY;
      expect((await boot()) || (await boot())).toBe(true);
      const newest = await renew();
      expect(await boot()).toBe(true);
      expect((await open().load())?.certificatePem).toBe(newest);
    },
  );

  it('has a matching key and certificate after a loss of power at any write of a renewal', async () => {
    for (let failAt = 1; failAt < 12; failAt++) {
      const store = new FailingStore();
      const open = (): IdentityStore => new IdentityStore(store, new FileKeyStore(store));
      const first = await open().pendingKey();
      await open().adopt(await authority.device('hub-1', first.publicKey.spki));
      store.failAt = failAt + 6;
      await (async () => {
        const key = await open().pendingKey();
        await open().adopt(await authority.device('hub-1', key.publicKey.spki));
      })().catch(() => undefined);
      store.failAt = Number.POSITIVE_INFINITY;
      const identity = await open().load();
      expect(identity?.deviceId, `write ${failAt}`).toBe('hub-1');
      expect(identity?.certificate.spki.raw).toEqual(identity?.key.publicKey.spki);
      const key = await open().pendingKey();
      const renewed = await open().adopt(await authority.device('hub-1', key.publicKey.spki));
      expect(renewed.key.publicKey.spki).not.toEqual(first.publicKey.spki);
    }
  });
});
