import {
  generatePrivateKey,
  importPublicKey,
  isAttestationKey,
  makeCredential,
  PrivateKey,
  SoftwareTpm,
  tpmName,
  tpmSpki,
  verifyCertified,
  verifyQuote,
  verifySignature,
} from '@holdfast/crypto';
import { decodeUtf8, encodeHex, encodeUtf8, systemRandom } from '@holdfast/kernel';
import { decodePem } from '@holdfast/wire/pem';
import { encodeEventLog, TPM_HANDLE, tpmCalls } from '@holdfast/wire/tpm2';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tlsOptions } from '../net/tls-options.ts';
import { MemoryStore } from '../store/device-store.ts';
import { IdentityStore } from '../store/identity-store.ts';
import { TestAuthority } from '../testing/test-authority.ts';
import { FakeToken } from '../../../crypto/src/pkcs11/testing/fake-token.ts';
import { FileKeyStore } from './file-key-store.ts';
import { destroyKey, destructionStatement, type KeyStore, signerOf, softwareKeyOf } from './key-store.ts';
import { loadPkcs11 } from './pkcs11.ts';
import { Pkcs11KeyStore } from './pkcs11-key-store.ts';
import { TpmIdentity } from './tpm-identity.ts';
import { TpmKeyStore } from './tpm-key-store.ts';
import { endorseTpm, virtualTpm } from './virtual-tpm.ts';

const MESSAGE = encodeUtf8('message');
const TOKEN = { modulePath: '/usr/lib/module.so', tokenLabel: 'holdfast', pin: '4321' };
const coded = (code: string) => expect.objectContaining({ code });

interface Bench {
  readonly name: string;
  readonly open: () => Promise<{ readonly keys: KeyStore; readonly again: () => Promise<KeyStore> }>;
}

const STORES: readonly Bench[] = [
  {
    name: 'files',
    open: async () => {
      const store = new MemoryStore();
      return { keys: new FileKeyStore(store), again: async () => new FileKeyStore(store) };
    },
  },
  {
    name: 'a TPM',
    open: async () => {
      const software = new SoftwareTpm();
      const store = new MemoryStore();
      return {
        keys: new TpmKeyStore(virtualTpm(software), store),
        again: async () => {
          software.reset();
          return new TpmKeyStore(virtualTpm(software), store);
        },
      };
    },
  },
  {
    name: 'a PKCS #11 token',
    open: async () => {
      const token = new FakeToken('holdfast', '4321');
      const open = () => Pkcs11KeyStore.open(TOKEN, async () => token);
      return { keys: await open(), again: open };
    },
  },
];

describe.each(STORES)('keys in $name', ({ open }) => {
  it('sign, and are there after a restart', async () => {
    const { keys, again } = await open();
    const made = await keys.create('identity-a');
    const found = await (await again()).load('identity-a');
    expect(found?.publicKey.spki).toEqual(made.publicKey.spki);
    const signature = found && (await signerOf(found).sign(MESSAGE));
    expect(verifySignature('ecdsa-p256-sha256', made.publicKey, MESSAGE, signature ?? MESSAGE)).toBe(true);
    expect(await keys.load('identity-b')).toBeUndefined();
  });

  it('are replaced by a new key of the same name', async () => {
    const { keys } = await open();
    const [first, second] = [await keys.create('identity-a'), await keys.create('identity-a')];
    expect(encodeHex(second.publicKey.spki)).not.toBe(encodeHex(first.publicKey.spki));
    expect((await keys.load('identity-a'))?.publicKey.spki).toEqual(second.publicKey.spki);
  });

  it('say that they were destroyed, and are gone', async () => {
    const { keys } = await open();
    const { publicKey } = await keys.create('identity-a');
    const challenge = systemRandom.bytes(16);
    const proof = await destroyKey(keys, 'identity-a', challenge);
    expect(decodeUtf8(proof?.statement ?? MESSAGE)).toBe(destructionStatement(publicKey.spki, keys.kind, challenge));
    const { statement = MESSAGE, signature = MESSAGE } = proof ?? {};
    expect(verifySignature('ecdsa-p256-sha256', publicKey, statement, signature)).toBe(true);
    expect(await keys.load('identity-a')).toBeUndefined();
    expect(await destroyKey(keys, 'identity-a', challenge)).toBeUndefined();
    await keys.remove('identity-a');
  });

  it('are taken from elsewhere only where they can be copied anyway', async () => {
    const { keys } = await open();
    const foreign = await generatePrivateKey('P-256');
    if (keys.kind === 'software') {
      await keys.put('identity-a', foreign);
      expect((await keys.load('identity-a'))?.publicKey.spki).toEqual(foreign.publicKey.spki);
      return;
    }
    await expect(keys.put('identity-a', foreign)).rejects.toThrow(coded('device.key_not_importable'));
    const made = await keys.create('identity-a');
    expect(made).not.toBeInstanceOf(PrivateKey);
    expect(() => softwareKeyOf(made)).toThrow(coded('device.key_not_exportable'));
  });

  it('carry an identity from its request to its certificate', async () => {
    const { keys } = await open();
    const authority = await TestAuthority.create();
    const store = new MemoryStore();
    const identities = new IdentityStore(store, keys);
    const key = await identities.pendingKey();
    await identities.adopt(await authority.device('gateway-1', key.publicKey.spki));
    expect((await identities.load())?.key.publicKey.spki).toEqual(key.publicKey.spki);
  });
});

describe('a key in a TPM', () => {
  it('is kept in the file of the OpenSSL providers, without a secret in it', async () => {
    const software = new SoftwareTpm();
    const store = new MemoryStore();
    await new TpmKeyStore(virtualTpm(software), store).create('identity-a');
    expect(decodeUtf8(store.read('identity-a.tpm.pem') ?? MESSAGE)).toMatch(/^-----BEGIN TSS2 PRIVATE KEY-----\n/);
    const stolen = await new TpmKeyStore(virtualTpm(new SoftwareTpm()), store).load('identity-a');
    await expect(stolen && signerOf(stolen).sign(MESSAGE)).rejects.toThrow(coded('device.tpm_refused'));
  });

  it('leaves no slot of the TPM taken, however often it signs', async () => {
    const keys = new TpmKeyStore(virtualTpm(new SoftwareTpm()), new MemoryStore());
    const key = await keys.create('identity-a');
    await Promise.all(Array.from({ length: 6 }, async () => signerOf(key).sign(MESSAGE)));
  });

  it('cannot be used for TLS before its provider is loaded, and says so', async () => {
    const keys = new TpmKeyStore(virtualTpm(new SoftwareTpm()), new MemoryStore());
    const key = await keys.create('identity-a');
    const authority = await TestAuthority.create();
    const certificatePem = await authority.device('gateway-1', key.publicKey.spki);
    expect(() => tlsOptions({ anchors: [authority.rootPem], certificatePem, key }, 'localhost')).toThrow(
      coded('device.key_not_usable_for_tls'),
    );
  });
});

describe('the identity of a TPM', () => {
  let authority: TestAuthority;
  let software: SoftwareTpm;
  let keys: TpmKeyStore;
  let identity: TpmIdentity;

  beforeAll(async () => {
    authority = await TestAuthority.create();
  });
  beforeEach(() => {
    software = new SoftwareTpm();
    keys = new TpmKeyStore(virtualTpm(software), new MemoryStore());
    identity = new TpmIdentity(virtualTpm(software), keys, systemRandom);
  });

  const endorse = () =>
    endorseTpm(software, async (spki) => decodePem(await authority.device('tpm', spki), 'CERTIFICATE'));

  it('shows the certificate of its maker and the key in it', async () => {
    const certificate = await endorse();
    const endorsement = await identity.endorsement();
    expect(endorsement.certificateDer).toEqual(certificate);
    expect(importPublicKey(tpmSpki(endorsement.area)).kind).toMatchObject({ kind: 'ec', curve: 'P-256' });
  });

  it('is none without a certificate, or with one for another key', async () => {
    await expect(identity.endorsement()).rejects.toThrow(coded('device.tpm_no_endorsement'));
    const foreign = await generatePrivateKey('P-256');
    software.writeNv(0x01c0000a, decodePem(await authority.device('tpm', foreign.publicKey.spki), 'CERTIFICATE'));
    await expect(identity.endorsement()).rejects.toThrow(coded('device.tpm_no_endorsement'));
  });

  it('opens what was sealed for it and its attestation key, and nothing sealed for another key', async () => {
    await endorse();
    const endorsement = await identity.endorsement();
    const attestationKey = await identity.attestationKey();
    expect(isAttestationKey(attestationKey)).toBe(true);
    expect(await identity.attestationKey()).toEqual(attestationKey);
    const seal = (name: Uint8Array) => makeCredential(endorsement.area, name, MESSAGE, systemRandom);
    expect(await identity.activate(endorsement, seal(tpmName(attestationKey)))).toEqual(MESSAGE);
    const other = seal(tpmName(endorsement.area));
    await expect(identity.activate(endorsement, other)).rejects.toThrow(coded('device.tpm_refused'));
  });

  it('certifies the key of the device, and quotes the registers with the log', async () => {
    const attestationKey = await identity.attestationKey();
    const foreign = await generatePrivateKey('P-256');
    const key = await keys.create('identity-a');
    const object = keys.areaOfKey(key);
    expect(keys.areaOf('identity-a')).toEqual(object);
    expect(() => keys.areaOfKey(foreign)).toThrow(coded('device.key_not_in_tpm'));
    const certification = await identity.certify(key, MESSAGE);
    expect(verifyCertified(certification, { attestationKey, object, data: MESSAGE })).toEqual({
      kind: 'certified',
    });
    const digest = new Uint8Array(32).fill(7);
    await virtualTpm(software).run(tpmCalls.pcrExtend(4, 'sha256', digest));
    const log = encodeEventLog({
      startupLocality: 0,
      events: [{ pcr: 4, type: 0xd, digests: new Map([['sha256', digest]]), data: MESSAGE }],
    });
    const nonce = systemRandom.bytes(32);
    const evidence = await identity.quote(nonce, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], log);
    expect(verifyQuote(evidence, { attestationKey, nonce })).toMatchObject({ kind: 'quoted' });
  });

  it('leaves only the storage key in the TPM', async () => {
    await endorse();
    await identity.endorsement();
    await identity.attestationKey();
    const tpm = virtualTpm(software);
    expect(await tpm.run(tpmCalls.getHandles(0x80000000))).toEqual([]);
    expect(await tpm.run(tpmCalls.getHandles(0x81000000))).toEqual([0x81000001]);
    expect(TPM_HANDLE.endorsement).toBe(0x4000000b);
  });
});

describe('a PKCS #11 token', () => {
  it('that is not there, or has another PIN, is named', async () => {
    const token = new FakeToken('holdfast', '4321');
    const open = (given: Partial<typeof TOKEN>) => Pkcs11KeyStore.open({ ...TOKEN, ...given }, async () => token);
    await expect(open({ tokenLabel: 'other' })).rejects.toThrow(coded('device.pkcs11_failed'));
    await expect(open({ pin: '0000' })).rejects.toThrow(coded('device.pkcs11_failed'));
  });

  it('needs an addon that is not installed with Holdfast', async () => {
    await expect(loadPkcs11()).rejects.toThrow(coded('device.pkcs11_missing'));
  });

  it('names its key to the TLS engine without the PIN', async () => {
    const token = new FakeToken('holdfast', '4321');
    const keys = await Pkcs11KeyStore.open(TOKEN, async () => token);
    const { tls } = await keys.create('identity-a');
    expect(tls).toEqual({
      privateKeyEngine: 'pkcs11',
      privateKeyIdentifier: 'pkcs11:token=holdfast;object=identity-a;type=private',
    });
  });
});
