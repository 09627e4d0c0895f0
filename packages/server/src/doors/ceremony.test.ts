import { createSigner, fingerprint, generatePrivateKey, type PrivateKey, type Signer } from '@holdfast/crypto';
import { systemRandom } from '@holdfast/kernel';
import {
  type AuthorityChain,
  makeRoot,
  type OfflineRoot,
  readChain,
  readRequest,
  signAuthority,
  writeChain,
} from '@holdfast/trust/identity';
import { encodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const coded = (code: string, details?: object) =>
  expect.objectContaining({ code, ...(details === undefined ? {} : { details: expect.objectContaining(details) }) });

let world: IdentityWorld;
let root: OfflineRoot;

beforeEach(async () => {
  world = await openIdentityWorld();
  await world.addProduct('lamp');
  world.clock.advance(60_000);
  root = await rootOf('Offline Root');
});
afterEach(() => world.opened.close());

const ports = () => ({ clock: world.clock, random: systemRandom });

async function rootOf(commonName: string, signer?: Signer): Promise<OfflineRoot> {
  const own = signer ?? createSigner(await generatePrivateKey('P-256'));
  const der = await makeRoot(ports(), { organization: 'Holdfast', commonName }, own);
  return { certificate: decodeCertificate(der), signer: own };
}

const sign = async (by = root) => signAuthority(ports(), by, await world.authority.request());
const install = (chain: AuthorityChain, by = root) =>
  world.authority.install(ADMIN, chain, fingerprint(by.certificate.raw));

async function enroll(serial: string): Promise<string> {
  const claim = await world.addClaim({ serials: [serial] });
  const { certificateDer } = await world.enrollment.enrollDirect(claim, await makeCsr(), connection(serial, 'est'));
  return fingerprint(certificateDer);
}

describe('the ceremony', () => {
  it('moves the root away: the issuing key stays, old and new devices are known, lists and answers go on', async () => {
    const before = await enroll('lamp-1');
    const { rootFingerprint, issuing } = world.authority;
    expect((await world.crl.publish()).number).toBe(1);
    let changed = 0;
    world.authority.onChanged(() => changed++);
    await install(readChain(writeChain(await sign())));
    expect(changed).toBe(1);
    const after = await enroll('lamp-2');
    for (const each of [before, after]) {
      expect(await world.peers.identify(each, world.clock.now())).toMatchObject({ kind: 'device' });
      expect(await world.repositories.certificates.find(each)).toMatchObject({ issuer: issuing.fingerprint });
    }
    expect(await world.crl.publish()).toMatchObject({ number: 2, issuer: issuing.fingerprint });
    expect(world.authority.rootFingerprint).toBe(fingerprint(root.certificate.raw));
    expect(world.authority.anchorsDer.map(fingerprint)).toEqual([world.authority.rootFingerprint, rootFingerprint]);
    // Issuing, NewWithOld, new root.
    expect(world.authority.chainDer).toHaveLength(3);
    // The chain, OldWithOld, OldWithNew and NewWithOld.
    expect(world.authority.caCertsDer).toHaveLength(5);
    expect((await world.audit()).map(({ action }) => action)).toContain('authority.installed');
  });

  it('erases the former root key on demand, and the present one never', async () => {
    const former = world.authority.rootFingerprint;
    await expect(world.authority.destroyRootKey(ADMIN, former)).rejects.toThrowError(coded('identity.root_in_use'));
    await install(await sign());
    expect(world.authority.rootIsOnline).toBe(true);
    await world.authority.destroyRootKey(ADMIN, former);
    expect(world.authority.rootIsOnline).toBe(false);
    await expect(world.authority.destroyRootKey(ADMIN, former)).rejects.toThrowError(
      coded('identity.root_key_offline'),
    );
    await enroll('lamp-3');
  });

  it('renews the issuing certificate by the same root without more crosses', async () => {
    await install(await sign());
    world.clock.advance(86_400_000);
    const chain = await sign();
    expect(chain.oldWithNewDer).toBeUndefined();
    await install(chain);
    expect(world.authority.caCertsDer).toHaveLength(5);
    expect(fingerprint(world.authority.presentedDer[0] ?? new Uint8Array())).toBe(fingerprint(chain.issuingDer));
  });

  it('cannot vouch for a third root once the key of the second is elsewhere', async () => {
    await install(await sign());
    const third = await rootOf('Third Root');
    world.clock.advance(1000);
    await expect(install(await sign(third), third)).rejects.toThrowError(coded('identity.root_key_offline'));
  });

  it('is not installed twice', async () => {
    const chain = await sign();
    await install(chain);
    await expect(install(chain)).rejects.toThrowError(coded('store.conflict'));
  });

  describe('refuses to install', () => {
    const refuses = async (change: (chain: AuthorityChain) => Promise<Partial<AuthorityChain>>, field: string) => {
      const chain = await sign();
      const before = await world.audit();
      await expect(install({ ...chain, ...(await change(chain)) })).rejects.toThrowError(
        coded('identity.ceremony_mismatch', { field }),
      );
      expect(await world.audit()).toEqual(before);
    };
    const requestOf = async (key: PrivateKey) => ({
      csrDer: await makeCsr({ key, commonName: 'Holdfast Issuing CA' }),
      formerRootDer: world.authority.rootDer,
    });

    it('a root with another fingerprint than was read aloud', async () => {
      const other = await rootOf('Offline Root');
      await refuses(() => sign(other), 'root fingerprint');
    });
    it('an issuing certificate for a key that is not ours', () =>
      refuses(async () => {
        const key = await generatePrivateKey('P-256');
        const { issuingDer } = await signAuthority(ports(), root, await requestOf(key));
        return { issuingDer };
      }, 'key'));
    it('an issuing certificate another root signed under this name', () =>
      refuses(async () => ({ issuingDer: (await sign(await rootOf('Offline Root'))).issuingDer }), 'signature'));
    it('an issuing certificate of a root of another name', () =>
      refuses(async () => ({ issuingDer: (await sign(await rootOf('Elsewhere'))).issuingDer }), 'issuer'));
    it('no word on the former root', () => refuses(async () => ({ oldWithNewDer: undefined }), 'former root'));
    it('OldWithNew for another key', () => refuses(async ({ issuingDer }) => ({ oldWithNewDer: issuingDer }), 'key'));
    it('a root that bears the name of the former one', async () => {
      root = await rootOf('Holdfast Root CA');
      await refuses(async () => ({}), 'root name');
    });
    it('what has expired meanwhile', () =>
      refuses(async () => {
        world.clock.jump(11 * 365 * 86_400_000);
        return {};
      }, 'validity'));
  });

  describe('refuses to sign', () => {
    it('a request without proof of possession', async () => {
      const request = await world.authority.request();
      const csrDer = Uint8Array.from(request.csrDer);
      csrDer[csrDer.length - 1] = (csrDer.at(-1) ?? 0) ^ 1;
      await expect(signAuthority(ports(), root, { ...request, csrDer })).rejects.toThrowError(
        coded('identity.bad_csr'),
      );
    });
    it('a key that small devices cannot verify', async () => {
      const csrDer = await makeCsr({ key: await generatePrivateKey('P-384') });
      const request = { csrDer, formerRootDer: world.authority.rootDer };
      await expect(signAuthority(ports(), root, request)).rejects.toThrowError(coded('identity.weak_key'));
    });
    it('a former root that is none', async () => {
      const { csrDer } = await world.authority.request();
      const request = { csrDer, formerRootDer: world.authority.issuing.der };
      await expect(signAuthority(ports(), root, request)).rejects.toThrowError(
        coded('identity.ceremony_mismatch', { field: 'root' }),
      );
    });
  });

  it('reads neither half a request nor half a chain', async () => {
    const { csrDer, formerRootDer } = await world.authority.request();
    const csr = encodePem('CERTIFICATE REQUEST', csrDer);
    const certificate = encodePem('CERTIFICATE', formerRootDer);
    expect(readRequest(csr + certificate).csrDer).toEqual(csrDer);
    for (const text of ['', csr, certificate, csr + csr + certificate, csr + certificate + certificate]) {
      expect(() => readRequest(text)).toThrowError(coded('identity.ceremony_mismatch'));
    }
    for (const text of ['', certificate, certificate + certificate]) {
      expect(() => readChain(text)).toThrowError(coded('identity.ceremony_mismatch'));
    }
  });
});
