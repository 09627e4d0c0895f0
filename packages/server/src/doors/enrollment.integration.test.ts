import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fingerprint, generatePrivateKey } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ADMIN,
  connection,
  type IdentityWorld,
  makeCsr,
  MemoryAuthorityKeys,
  openIdentityWorld,
} from '../testing/identity-world.ts';

const OPENSSL = 'openssl';
const hasOpenssl = spawnSync(OPENSSL, ['version']).status === 0;
if (!hasOpenssl) process.stdout.write('openssl is not installed: its verdict on our certificates is not asked\n');

describe('enrollment on the store that is shipped', () => {
  let folder: string;
  let world: IdentityWorld;
  const keys = new MemoryAuthorityKeys();
  const open = () => openIdentityWorld({ location: path.join(folder, 'records.db'), keys });

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'holdfast-enroll-'));
    world = await open();
    await world.addProduct('lamp');
  });
  afterEach(async () => {
    await world.opened.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const codeOf = (error: unknown): string => (HoldfastError.is(error) ? error.code : String(error));
  const outcomes = async (attempts: readonly Promise<unknown>[]): Promise<string[]> =>
    (await Promise.all(attempts.map((attempt) => attempt.then(() => 'enrolled', codeOf)))).sort();

  it('lets exactly one of two claims have a serial number they race for', async () => {
    for (let round = 0; round < 5; round++) {
      const serial = `lamp-${round}`;
      const claims = [await world.addClaim({ serials: [serial] }), await world.addClaim({ serials: [serial] })];
      const csrs = await Promise.all(claims.map(() => makeCsr()));
      const results = await outcomes(
        claims.map((claim, i) =>
          world.enrollment.enrollDirect(claim, csrs[i] ?? new Uint8Array(), connection(`c${i}`, 'est')),
        ),
      );
      expect(results).toEqual(['enrolled', 'identity.device_has_certificate']);
      const certificates = await world.repositories.certificates.ofDevice('default', serial);
      expect(certificates.map(({ state }) => state)).toEqual(['active']);
    }
  });

  it('lets exactly one door have one key that both are asked with', async () => {
    const claim = await world.addClaim({ quota: 5 });
    const csr = await makeCsr();
    const { ownershipToken } = await world.enrollment.createCertificate(claim, { csrDer: csr }, connection('c1'));
    const wish = { template: 'default', ownershipToken, parameters: { SerialNumber: 'lamp-1' } };
    await outcomes([
      world.enrollment.registerThing(claim, wish, connection('c1')),
      world.enrollment.enrollDirect(claim, csr, connection('c2', 'est')),
    ]);
    const { rows } = await world.registry.list('default', {}, { limit: 10 });
    expect(rows).toHaveLength(1);
    expect((await world.claims.show('default', claim.claimId)).used).toBe(1);
  });

  it('counts a quota right when many devices come at once', async () => {
    const claim = await world.addClaim({ quota: 4 });
    const csrs = await Promise.all(Array.from({ length: 8 }, () => makeCsr()));
    const results = await outcomes(
      csrs.map((csr, i) => world.enrollment.enrollDirect(claim, csr, connection(`c${i}`, 'est'))),
    );
    expect(results).toEqual([...Array(4).fill('enrolled'), ...Array(4).fill('identity.claim_used_up')]);
    const { rows } = await world.registry.list('default', {}, { limit: 10 });
    expect(rows).toHaveLength(4);
    expect((await world.claims.show('default', claim.claimId)).used).toBe(4);
  });

  it('knows its authorities, devices and list numbers after it was opened again', async () => {
    const claim = await world.addClaim({ serials: ['lamp-1'] });
    const { certificateDer } = await world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
    const { number } = await world.crl.publish();
    const root = world.authority.rootFingerprint;
    await world.opened.close();
    world = await open();
    expect(world.authority.rootFingerprint).toBe(root);
    expect(await world.peers.identify(fingerprint(certificateDer), world.clock.now())).toMatchObject({
      kind: 'device',
    });
    expect((await world.crl.publish()).number).toBe(number + 1);
    expect((await world.repositories.certificates.activeOfProfile('default', 'root')).length).toBe(1);
  });

  it('takes no ownership token over a restart, although connections are counted from one again', async () => {
    const claim = await world.addClaim({ quota: 1 });
    const key = await generatePrivateKey('P-256');
    const create = async () =>
      world.enrollment.createCertificate(claim, { csrDer: await makeCsr({ key }) }, connection('1'));
    const register = (ownershipToken: string) =>
      world.enrollment.registerThing(
        claim,
        { template: 'lamp', ownershipToken, parameters: { SerialNumber: 'lamp-1' } },
        connection('1'),
      );
    const { ownershipToken } = await create();
    await world.opened.close();
    world = await open();
    await expect(register(ownershipToken)).rejects.toThrowError(
      expect.objectContaining({ code: 'identity.bad_token' }),
    );
    expect(await register((await create()).ownershipToken)).toMatchObject({ deviceId: 'lamp-1' });
  });

  it('keeps no private key it ever showed, in no file', async () => {
    const expiresAt = world.clock.now() + 3_600_000;
    const { claim, privateKeyPkcs8 } = await world.claims.create(ADMIN, { product: 'lamp', quota: 1, expiresAt });
    const made = await world.enrollment.createCertificate(
      { kind: 'claim', ...claim },
      { serverKey: true },
      connection('c'),
    );
    const files = readdirSync(folder).map((name) => readFileSync(path.join(folder, name)));
    const secrets = [privateKeyPkcs8, made.privateKeyPkcs8 ?? new Uint8Array(), Buffer.from(made.ownershipToken)];
    for (const secret of secrets) {
      // From octet 36 of a P-256 PKCS#8 on are the 32 secret ones; a token is looked for from there too.
      const canary = Buffer.from(secret).subarray(36, 68);
      expect(canary.length).toBeGreaterThan(5);
      expect(files.some((file) => file.includes(canary))).toBe(false);
    }
  });

  it.runIf(hasOpenssl)('issues what openssl verifies strictly, until the list names it', async () => {
    const claim = await world.addClaim({ serials: ['lamp-1'] });
    const { certificateDer } = await world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
    const at = Math.floor(world.clock.now() / 1000);
    const file = (name: string, label: string, der: Uint8Array): string => {
      const place = path.join(folder, name);
      writeFileSync(place, encodePem(label, der));
      return place;
    };
    const root = file('root.pem', 'CERTIFICATE', world.authority.rootDer);
    const issuing = file('issuing.pem', 'CERTIFICATE', world.authority.issuing.der);
    const leaf = file('leaf.pem', 'CERTIFICATE', certificateDer);
    const verify = (...extra: readonly string[]): string => {
      const given = ['verify', '-x509_strict', '-attime', String(at), '-purpose', 'sslclient', '-CAfile', root];
      const ran = spawnSync(OPENSSL, [...given, '-untrusted', issuing, ...extra, leaf], { encoding: 'utf8' });
      return ran.status === 0 ? 'OK' : ran.stderr;
    };
    expect(verify()).toBe('OK');
    const crl = async () => file('crl.pem', 'X509 CRL', (await world.crl.publish()).der);
    expect(verify('-crl_check', '-CRLfile', await crl())).toBe('OK');
    await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
    expect(verify('-crl_check', '-CRLfile', await crl())).toContain('certificate revoked');
    const shown = execFileSync(OPENSSL, ['x509', '-in', leaf, '-noout', '-subject', '-ext', 'subjectAltName'], {
      encoding: 'utf8',
    });
    expect(shown).toContain('CN = lamp-1');
    expect(shown).toContain('URI:urn:holdfast:default:device:lamp-1');
    expect(decodeCertificate(certificateDer).known.extKeyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  });
});
