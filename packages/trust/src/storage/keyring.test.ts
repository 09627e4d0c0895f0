import { createSigner, generatePrivateKey, verifySignature } from '@holdfast/crypto';
import { encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileWrite, query } from '../../../server/src/persistence/index.ts';
import { MapBlobs, openStorageBed, type StorageBed } from '../../../server/src/persistence/conformance/storage-bed.ts';
import type { KeyState, Store } from '../ports/index.ts';
import {
  KEY_MACHINE,
  type KeyEvent,
  Keyring,
  mayProcess,
  mayProtect,
  Rewrap,
  SealedKeys,
  SealedSecrets,
} from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });
const VALUE = encodeUtf8('correct horse battery staple');
const place = (more = {}) => ({ tenant: 'default', kind: 'field:wifi', id: 'lamp-1', version: 1, ...more });

describe('key states', () => {
  const EVENTS: readonly KeyEvent[] = ['activate', 'suspend', 'resume', 'deactivate', 'compromise', 'destroy'];

  it.each<[KeyState, readonly (KeyState | undefined)[]]>([
    ['pre-active', ['active', undefined, undefined, undefined, 'compromised', 'destroyed']],
    ['active', [undefined, 'suspended', undefined, 'deactivated', 'compromised', 'destroyed']],
    ['suspended', [undefined, undefined, 'active', 'deactivated', 'compromised', 'destroyed']],
    ['deactivated', [undefined, undefined, undefined, undefined, 'compromised', 'destroyed']],
    ['compromised', [undefined, undefined, undefined, undefined, undefined, 'destroyed']],
    ['destroyed', [undefined, undefined, undefined, undefined, undefined, undefined]],
  ])('lead from %s only where NIST SP 800-57 lets them', (state, next) => {
    expect(EVENTS.map((event) => KEY_MACHINE.next(state, event))).toEqual(next);
  });

  it('let only an active key protect, and no suspended or destroyed one process', () => {
    expect(KEY_MACHINE.states.filter(mayProtect)).toEqual(['active']);
    expect(KEY_MACHINE.states.filter(mayProcess)).toEqual(['active', 'deactivated', 'compromised']);
  });
});

describe('storage under a keyring', () => {
  let bed: StorageBed;
  const blobs = new MapBlobs();

  beforeEach(async () => {
    bed = await openStorageBed({ blobs });
  });
  afterEach(() => bed.opened.close());

  /** A store that refuses from its n-th unit on, as one whose process is killed there. */
  const failingFrom = (count: number): Store => {
    let left = count;
    return {
      commit: (writes) =>
        left-- > 0 ? bed.store.commit(writes) : Promise.reject(new HoldfastError('store.unavailable', {})),
    };
  };
  const actions = async () => (await bed.entries()).map(({ action }) => action);

  describe('the keyring', () => {
    it('makes the first key of a tenant once, however many ask for it at once', async () => {
      const keys = await Promise.all(Array.from({ length: 10 }, () => bed.keyring.active('default')));
      expect(new Set(keys.map(({ version }) => version))).toEqual(new Set([1]));
      expect(await actions()).toEqual(['tenant-key.created']);
    });

    it('refuses a root key that did not seal it', async () => {
      await bed.keyring.active('default');
      const ports = { ...bed, rootKey: new Uint8Array(32).fill(8) };
      await expect(new Keyring(ports).start()).rejects.toThrowError(coded('storage.wrong_root_key'));
      await expect(new Keyring({ ...ports, rootKey: new Uint8Array(32).fill(7) }).start()).resolves.toBeUndefined();
    });

    it('opens after a rotation what was sealed before, and seals anew under the new version', async () => {
      const before = await bed.fields.seal(place(), VALUE);
      expect(await bed.keyring.rotate('default', 'operator:alice')).toBe(2);
      const after = await bed.fields.seal(place(), VALUE);
      expect([before.keyVersion, after.keyVersion]).toEqual([1, 2]);
      expect(await bed.fields.open(place(), before.sealed)).toEqual(VALUE);
      expect(await bed.fields.open(place(), after.sealed)).toEqual(VALUE);
      expect(bed.keyring.list('default').map(({ version, state }) => [version, state])).toEqual([
        [1, 'deactivated'],
        [2, 'active'],
      ]);
    });

    it('gives two rotations at once two versions', async () => {
      const versions = await Promise.all([bed.keyring.rotate('default', 'a'), bed.keyring.rotate('default', 'b')]);
      expect(versions).toEqual([2, 3]);
      expect(bed.keyring.list('default').filter(({ state }) => state === 'active')).toHaveLength(1);
    });

    it('shreds a tenant: nothing it sealed opens, nothing new is sealed, others are untouched', async () => {
      const own = await bed.fields.seal(place(), VALUE);
      const other = await bed.fields.seal(place({ tenant: 'acme' }), VALUE);
      await bed.keys.create({ tenant: 'default', keyId: 'ca', actor: 'system' });
      const signer = await bed.keys.signer('default', 'ca');
      await bed.keyring.rotate('default', 'system');
      await bed.keyring.shred('default', 'operator:alice');
      await expect(bed.fields.open(place(), own.sealed)).rejects.toThrowError(coded('storage.key_destroyed'));
      await expect(bed.fields.seal(place(), VALUE)).rejects.toThrowError(coded('storage.key_destroyed'));
      await expect(signer?.sign(VALUE)).rejects.toThrowError(coded('storage.key_destroyed'));
      expect(await bed.fields.open(place({ tenant: 'acme' }), other.sealed)).toEqual(VALUE);
      const rows = await bed.reader.all(query.selectFrom('tenant_keys').select(['tenant', 'wrapped']));
      expect(rows.filter(({ tenant }) => tenant === 'default').map(({ wrapped }) => wrapped)).toEqual([null, null]);
      expect(await actions()).toContain('tenant-key.destroyed');
    });
  });

  describe('sealed fields', () => {
    it.each([
      ['another id', { id: 'lamp-2' }],
      ['another tenant', { tenant: 'acme' }],
      ['another kind', { kind: 'secret' }],
      ['an older version', { version: 0 }],
    ])('do not open in %s', async (_, change) => {
      const { sealed } = await bed.fields.seal(place(), VALUE);
      await bed.keyring.active('acme');
      await expect(bed.fields.open(place(change), sealed)).rejects.toThrowError(coded('crypto.open_failed'));
    });
  });

  describe('rewrapping after a rotation', () => {
    it('can be cut off at every write: all stays readable, and the next run ends the work', async () => {
      const tenant = 'default';
      for (let at = 0; at < 6; at++) await bed.secrets.put(tenant, `secret-${at}`, VALUE, 'system');
      const { artifactId } = await bed.artifacts.create(artifactOf(new Uint8Array(100).fill(3)));
      await bed.keyring.rotate(tenant, 'system');
      for (let cut = 0; cut <= 7; cut++) {
        await new Rewrap({ ...bed.rewrapPorts, store: failingFrom(cut === 7 ? 99 : 1) }).run(tenant);
        for (let at = 0; at < 6; at++) {
          expect(await bed.secrets.read(tenant, `secret-${at}`, 'system')).toEqual(VALUE);
        }
        const open = await bed.artifacts.open(tenant, artifactId);
        expect(await open?.read({ start: 0, end: 100 })).toEqual(new Uint8Array(100).fill(3));
      }
      expect(await bed.sealedRecords.wrappedBelow(tenant, 2, 10)).toEqual([]);
      expect(await bed.artifactRecords.wrappedBelow(tenant, 2, 10)).toEqual([]);
    });

    it('leaves what does not open, says how much, and ends', async () => {
      for (let at = 0; at < 3; at++) await bed.secrets.put('default', `secret-${at}`, VALUE, 'system');
      await flip('secret-1');
      await bed.keyring.rotate('default', 'system');
      expect(await new Rewrap(bed.rewrapPorts).run('default')).toEqual({ rewrapped: 2, left: 1 });
    });
  });

  describe('sealed keys', () => {
    it('exist with the rest of the unit, or not at all', async () => {
      const { signer, writes } = await bed.keys.creating({ tenant: 'default', keyId: 'ca', actor: 'system' });
      expect(await bed.keys.signer('default', 'ca')).toBeUndefined();
      await bed.store.commit(writes);
      const stored = await bed.keys.signer('default', 'ca');
      expect(stored?.publicKeySpki).toEqual(signer.publicKeySpki);
      const signature = (await stored?.sign(VALUE)) ?? new Uint8Array(0);
      expect(verifySignature('ecdsa-p256-sha256', signer.publicKeySpki, VALUE, signature)).toBe(true);
      expect(await actions()).toEqual(['tenant-key.created', 'key.created']);
    });

    it('take an imported key in, and refuse a name that is taken', async () => {
      const imported = await generatePrivateKey('ed25519');
      const wish = { tenant: 'default', keyId: 'release', actor: 'operator:alice', imported };
      await bed.keys.create(wish);
      expect((await bed.keys.signer('default', 'release'))?.publicKeySpki).toEqual(
        createSigner(imported).publicKeySpki,
      );
      await expect(bed.keys.create(wish)).rejects.toThrowError(coded('store.conflict'));
    });

    it('sign under the new version after a rotation; a signer held from before signs no more', async () => {
      await bed.keys.create({ tenant: 'default', keyId: 'ca', actor: 'system', kind: 'P-384' });
      const former = await bed.keys.signer('default', 'ca');
      const { version, spki } = await bed.keys.rotate('default', 'ca', 'operator:alice');
      expect(version).toBe(2);
      const next = await bed.keys.signer('default', 'ca');
      expect(next).toMatchObject({ algorithm: 'ecdsa-p384-sha384', publicKeySpki: spki });
      await expect(former?.sign(VALUE)).rejects.toThrowError(coded('storage.key_not_active'));
    });

    it('follow their state: suspended no signature, resumed again, destroyed never more', async () => {
      const record = await bed.keys.create({ tenant: 'default', keyId: 'ca', actor: 'system' });
      const signer = await bed.keys.signer('default', 'ca');
      await bed.keys.change(record, 'suspend', 'operator:alice');
      await expect(signer?.sign(VALUE)).rejects.toThrowError(coded('storage.key_not_active'));
      await bed.keys.change({ ...record, state: 'suspended' }, 'resume', 'operator:alice');
      await expect(signer?.sign(VALUE)).resolves.toBeInstanceOf(Uint8Array);
      await expect(bed.keys.change({ ...record, state: 'suspended' }, 'resume', 'x')).rejects.toThrowError(
        coded('store.conflict'),
      );
      await bed.keys.change(record, 'destroy', 'operator:alice');
      await expect(signer?.sign(VALUE)).rejects.toThrowError(coded('storage.key_not_active'));
      expect(await bed.keys.signer('default', 'ca')).toBeUndefined();
      expect(await bed.sealedRecords.walk(undefined, 10)).toEqual([]);
    });

    it('do not sign when the public half of the row was replaced', async () => {
      await bed.keys.create({ tenant: 'default', keyId: 'ca', actor: 'system' });
      const { spki } = (await generatePrivateKey('P-256')).publicKey;
      await bed.store.commit([compileWrite(query.updateTable('key_pairs').set({ spki }))]);
      await expect(new SealedKeys(bed.keyPorts).signer('default', 'ca')).rejects.toThrowError(coded('storage.corrupt'));
    });

    it('do not sign with the private half of another key', async () => {
      for (const keyId of ['ca', 'firmware']) await bed.keys.create({ tenant: 'default', keyId, actor: 'system' });
      const stored = await bed.sealedRecords.newest('default', 'private-key', 'firmware');
      const swapped = query.updateTable('sealed_records').set({ sealed: stored?.sealed ?? new Uint8Array(0) });
      await bed.store.commit([compileWrite(swapped.where('id', '=', 'ca'))]);
      await expect(new SealedKeys(bed.keyPorts).signer('default', 'ca')).rejects.toThrowError(
        coded('crypto.open_failed'),
      );
    });

    it('are handed to a TLS listener only when made for one', async () => {
      await bed.keys.create({ tenant: 'default', keyId: 'server', actor: 'system', usage: 'tls' });
      await bed.keys.create({ tenant: 'default', keyId: 'ca', actor: 'system' });
      expect((await bed.keys.openForTls('default', 'server')).publicKey.kind).toMatchObject({ curve: 'P-256' });
      await expect(bed.keys.openForTls('default', 'ca')).rejects.toThrowError(coded('storage.key_not_active'));
      await expect(bed.keys.openForTls('default', 'none')).rejects.toThrowError(coded('storage.unknown_key'));
    });
  });

  describe('sealed secrets', () => {
    it('keep every version, list no value, and audit each reading', async () => {
      expect(await bed.secrets.put('default', 'wifi', VALUE, 'operator:alice')).toBe(1);
      expect(await bed.secrets.put('default', 'wifi', encodeUtf8('second'), 'operator:alice')).toBe(2);
      await bed.secrets.put('default', 'mqtt', VALUE, 'operator:alice');
      expect(await bed.secrets.read('default', 'wifi', 'operator:bob')).toEqual(encodeUtf8('second'));
      expect(await bed.secrets.read('default', 'wifi', 'operator:bob', 1)).toEqual(VALUE);
      const { rows, next } = await bed.secrets.list('default', { limit: 1 });
      expect([rows, next]).toEqual([[{ name: 'mqtt', version: 1, createdAt: bed.clock.now() }], 'mqtt']);
      expect((await bed.secrets.list('default', { limit: 5, after: next })).rows).toMatchObject([
        { name: 'wifi', version: 2 },
      ]);
      const readings = (await bed.entries()).filter(({ action }) => action === 'secret.read');
      expect(readings.map(({ actor, details }) => [actor, details])).toEqual([
        ['operator:bob', '{"version":2}'],
        ['operator:bob', '{"version":1}'],
      ]);
    });

    it('are not given out when the reading cannot be audited', async () => {
      await bed.secrets.put('default', 'wifi', VALUE, 'system');
      const blind = new SealedSecrets({ ...bed.secretPorts, store: failingFrom(0) });
      await expect(blind.read('default', 'wifi', 'operator:bob')).rejects.toThrowError(coded('store.unavailable'));
    });

    it('are gone when deleted, and unknown to another tenant', async () => {
      await bed.secrets.put('default', 'wifi', VALUE, 'system');
      await expect(bed.secrets.read('acme', 'wifi', 'x')).rejects.toThrowError(coded('storage.unknown_secret'));
      await bed.secrets.delete('default', 'wifi', 'operator:alice');
      await expect(bed.secrets.read('default', 'wifi', 'x')).rejects.toThrowError(coded('storage.unknown_secret'));
      await expect(bed.secrets.delete('default', 'wifi', 'x')).rejects.toThrowError(coded('storage.unknown_secret'));
    });

    it('do not open when an older version was copied over a newer one', async () => {
      await bed.secrets.put('default', 'wifi', VALUE, 'system');
      const old = await bed.sealedRecords.newest('default', 'secret', 'wifi');
      await bed.secrets.put('default', 'wifi', encodeUtf8('second'), 'system');
      const rolledBack = query.updateTable('sealed_records').set({ sealed: old?.sealed ?? new Uint8Array(0) });
      await bed.store.commit([compileWrite(rolledBack.where('version', '=', 2))]);
      await expect(bed.secrets.read('default', 'wifi', 'x')).rejects.toThrowError(coded('crypto.open_failed'));
    });
  });

  function artifactOf(bytes: Uint8Array) {
    async function* content() {
      yield bytes;
    }
    return { tenant: 'default', actor: 'system', content: content(), maxBytes: 1000 };
  }

  async function flip(id: string): Promise<void> {
    const record = await bed.sealedRecords.newest('default', 'secret', id);
    const sealed = Uint8Array.from(record?.sealed ?? []);
    sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
    sealed[60] = (sealed[60] ?? 0) ^ 1;
    await bed.store.commit([compileWrite(query.updateTable('sealed_records').set({ sealed }).where('id', '=', id))]);
  }
});
