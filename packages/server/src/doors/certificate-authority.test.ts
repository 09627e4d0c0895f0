import { importPublicKey, verifySignature } from '@holdfast/crypto';
import { decodeHex, encodeHex, silentLog } from '@holdfast/kernel';
import { type ServerCredential, ServerIdentity } from '@holdfast/trust/identity';
import { decodeCertificate, decodeCrl } from '@holdfast/wire/x509';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const DAY_MS = 86_400_000;
const coded = (code: string) => expect.objectContaining({ code });

describe('the certificate authority', () => {
  let world: IdentityWorld;

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
  });
  afterEach(() => world.opened.close());

  const enroll = async (serial: string) => {
    const claim = await world.addClaim({ serials: [serial] });
    const csr = await makeCsr();
    return (await world.enrollment.enrollDirect(claim, csr, connection('c', 'est'))).certificateDer;
  };

  it('makes a root and an issuing authority of P-256 and SHA-256, once', () => {
    const root = decodeCertificate(world.authority.rootDer);
    const issuing = decodeCertificate(world.authority.issuing.der);
    expect(root.known.basicConstraints).toEqual({ ca: true, pathLen: undefined });
    expect(issuing.known.basicConstraints).toEqual({ ca: true, pathLen: 0 });
    expect(issuing.issuer.raw).toEqual(root.subject.raw);
    expect(world.authority.rootIsOnline).toBe(true);
    for (const { tbs, signature } of [root, issuing]) {
      expect(verifySignature('ecdsa-p256-sha256', importPublicKey(root.spki.raw), tbs, signature)).toBe(true);
    }
  });

  it('registers and logs every certificate in the unit that makes it', async () => {
    const der = await enroll('lamp-1');
    const { serial } = decodeCertificate(der);
    expect(await world.repositories.certificates.findBySerial(serial)).toMatchObject({ profile: 'device', der });
    const issued = (await world.audit()).filter(({ action }) => action === 'certificate.issued');
    expect(issued.map(({ details }) => (JSON.parse(details) as { profile: string }).profile)).toEqual([
      'root',
      'issuing',
      'claim',
      'device',
    ]);
  });

  it('gives out nothing when the unit fails', async () => {
    const order = {
      profile: 'device',
      publicKey: importPublicKey(world.authority.revocationSigner.signer.publicKeySpki),
      commonName: 'x',
      names: [],
      state: 'active',
      subjectId: 'x',
      claimId: undefined,
      keyOrigin: 'device',
      door: 'local',
      actor: 'system',
    } as const;
    const before = (await world.audit()).length;
    await expect(world.authority.issue(order, () => [])).rejects.toThrowError(coded('crypto.issue_refused'));
    await enroll('lamp-1');
    const [known] = await world.repositories.certificates.ofDevice('default', 'lamp-1');
    const spki = decodeCertificate(known?.der ?? new Uint8Array()).spki.raw;
    await expect(
      world.authority.issue({ ...order, publicKey: importPublicKey(spki), subjectId: 'lamp-1' }, () => []),
    ).rejects.toThrowError(coded('store.conflict'));
    const entries = (await world.audit()).slice(before).filter(({ action }) => action === 'certificate.issued');
    expect(entries).toHaveLength(2);
  });

  describe('the revocation list', () => {
    it('names what was revoked, is signed by the issuing authority, and numbers rise with every list', async () => {
      const serial = decodeCertificate(await enroll('lamp-1')).serial;
      expect((await world.crl.publish()).number).toBe(1);
      await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
      const { der, number } = await world.crl.publish();
      const list = decodeCrl(der);
      expect(number).toBe(2);
      expect(list.crlNumber).toBe(2n);
      expect(list.revoked).toMatchObject([{ serial, reason: 'keyCompromise' }]);
      const issuer = importPublicKey(decodeCertificate(world.authority.issuing.der).spki.raw);
      expect(verifySignature('ecdsa-p256-sha256', issuer, list.tbs, list.signature)).toBe(true);
    });

    it('gathers revocations, refreshes on a timer, and says when it grows old', async () => {
      expect(await world.crl.health()).toBe('absent');
      await world.crl.start();
      for (let i = 0; i < 5; i++) world.crl.revoked();
      world.clock.advance(500);
      await world.crl.close();
      expect((await world.crl.current())?.number).toBe(2);
      expect(await world.crl.health()).toBe('fresh');
      world.clock.advance(13 * 3_600_000);
      expect(await world.crl.health()).toBe('half-life-passed');
      world.clock.advance(11 * 3_600_000);
      expect(await world.crl.health()).toBe('expired');
    });

    it('gives two publishers two numbers', async () => {
      const published = await Promise.all([world.crl.publish(), world.crl.publish(), world.crl.publish()]);
      expect(published.map(({ number }) => number).sort((a, b) => a - b)).toEqual([1, 2, 3]);
    });
  });

  describe('the server certificate', () => {
    const identityOf = (names: readonly string[]) => {
      const { authority, clock, repositories } = world;
      return new ServerIdentity({ authority, clock, log: silentLog, keyOwners: repositories.keyOwners }, names);
    };

    it('names localhost and its addresses always, and what the operator adds', async () => {
      const { certificateDer, chainDer } = await identityOf(['gw.example', '192.0.2.7', '2001:db8::1']).start();
      const { known } = decodeCertificate(certificateDer);
      expect(known.subjectAltName).toEqual([
        { kind: 'dns', text: 'localhost' },
        { kind: 'ip', bytes: Uint8Array.of(127, 0, 0, 1) },
        { kind: 'ip', bytes: decodeHex('00000000000000000000000000000001') },
        { kind: 'dns', text: 'gw.example' },
        { kind: 'ip', bytes: Uint8Array.of(192, 0, 2, 7) },
        { kind: 'ip', bytes: decodeHex('20010db8000000000000000000000001') },
      ]);
      expect(chainDer).toEqual([world.authority.issuing.der]);
    });

    it.each(['', 'a b', '-x', '1.2.3.256', '1::2::3', '12345::', ':1', 'x..y'])('refuses the name %j', async (name) => {
      await expect(identityOf([name]).start()).rejects.toThrowError(coded('request.invalid'));
    });

    it('is renewed at two thirds of its life with a fresh key, and not before', async () => {
      const identity = identityOf([]);
      const start = world.clock.now();
      const seen: ServerCredential[] = [await identity.start()];
      identity.onRenewed((credential) => seen.push(credential));
      world.clock.advance(59 * DAY_MS);
      world.clock.advance(DAY_MS);
      await vi.waitFor(() => expect(seen).toHaveLength(2));
      // Nothing was made in the 59 days before.
      const issued = await world.repositories.certificates.activeOfProfile('default', 'server');
      expect(issued.map(({ issuedAt }) => issuedAt - start)).toEqual([60 * DAY_MS, 0]);
      const [first, second] = seen.map(({ certificateDer }) => decodeCertificate(certificateDer));
      expect(encodeHex(second?.spki.raw ?? new Uint8Array())).not.toBe(encodeHex(first?.spki.raw ?? new Uint8Array()));
      expect(second?.validity.notAfter).toBeGreaterThan(first?.validity.notAfter ?? 0);
      identity.close();
    });
  });
});
