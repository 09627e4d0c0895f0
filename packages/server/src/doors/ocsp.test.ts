import { OcspIssuer, type Signer, sha256 } from '@holdfast/crypto';
import { concatBytes, decodeHex, HoldfastError, silentLog } from '@holdfast/kernel';
import { OCSP_ANSWER_LIFE_MS, type OcspAnswer, OcspResponder, OcspSigner } from '@holdfast/trust/identity';
import {
  decodeCertificate,
  decodeOcspResponse,
  encodeOcspCertId,
  encodeOcspRequest,
  OID,
  type OcspResponse,
} from '@holdfast/wire/x509';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ADMIN,
  connection,
  type IdentityWorld,
  makeCsr,
  MemoryAuthorityKeys,
  openIdentityWorld,
} from '../testing/identity-world.ts';

const DAY_MS = 86_400_000;

/** Keys that stop signing when told to, as a token that was pulled out. */
class FrailKeys extends MemoryAuthorityKeys {
  isGone = false;

  override async creating(wish: { readonly keyId: string }) {
    const made = await super.creating(wish);
    return { ...made, signer: this.#frail(made.signer) };
  }

  override async signer(tenant: string, keyId: string): Promise<Signer | undefined> {
    const signer = await super.signer(tenant, keyId);
    return signer && this.#frail(signer);
  }

  #frail(signer: Signer): Signer {
    return {
      ...signer,
      sign: (bytes) =>
        this.isGone ? Promise.reject(new HoldfastError('storage.unknown_key', {})) : signer.sign(bytes),
    };
  }
}

let world: IdentityWorld;
let keys: FrailKeys;
let signer: OcspSigner;
let responder: OcspResponder;
let issuer: OcspIssuer;

beforeEach(async () => {
  keys = new FrailKeys();
  world = await openIdentityWorld({ keys });
  await world.addProduct('lamp');
  const { authority, clock, repositories } = world;
  const ports = { clock, log: silentLog, ...repositories };
  signer = new OcspSigner({ ...ports, authority });
  await signer.start();
  responder = new OcspResponder({ ...ports, issuer: authority.issuing, signer });
  issuer = new OcspIssuer(decodeCertificate(authority.issuing.der));
});
afterEach(async () => {
  await signer.close();
  await world.opened.close();
});

async function enroll(serial: string): Promise<string> {
  const claim = await world.addClaim({ serials: [serial] });
  const { certificateDer } = await world.enrollment.enrollDirect(claim, await makeCsr(), connection(serial, 'est'));
  return decodeCertificate(certificateDer).serial;
}

function basicOf(answer: OcspAnswer): Extract<OcspResponse, { kind: 'basic' }> {
  const response = decodeOcspResponse(answer.der);
  if (response.kind !== 'basic') throw new TypeError(`refused: ${response.status}`);
  return response;
}

async function statusOf(serial: string) {
  return basicOf(await responder.answer(encodeOcspRequest(issuer.certId(serial)))).responses[0]?.status;
}

describe('the OCSP responder', () => {
  it('is named in what is issued, except in its own certificate, which nobody asks about', async () => {
    const claim = await world.addClaim();
    const record = await world.repositories.certificates.find(claim.fingerprint);
    const { known } = decodeCertificate(record?.der ?? new Uint8Array());
    expect(known.authorityInfoAccess).toEqual([
      { method: OID.ocsp, location: { kind: 'uri', text: 'http://localhost:8880/ocsp' } },
    ]);
    const own = signer.current().certificate.known;
    expect(own.extKeyUsage).toEqual([OID.ocspSigning]);
    expect([own.authorityInfoAccess, own.crlDistributionPoints]).toEqual([undefined, undefined]);
  });

  it.each([OID.sha1, OID.sha256])('says good, then revoked with reason and time, for a %s CertID', async (hash) => {
    const serial = await enroll('lamp-1');
    const ask = async () => basicOf(await responder.answer(encodeOcspRequest(issuer.certId(serial, hash))));
    expect((await ask()).responses).toMatchObject([{ status: { kind: 'good' }, id: { serial } }]);
    world.clock.advance(5_000);
    const revokedAt = world.clock.now();
    await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
    expect((await ask()).responses[0]?.status).toEqual({ kind: 'revoked', revokedAt, reason: 'keyCompromise' });
  });

  it('says held while the device is suspended, and good again after it was let back', async () => {
    const serial = await enroll('lamp-1');
    await world.registry.suspend(ADMIN, 'lamp-1');
    expect(await statusOf(serial)).toMatchObject({ kind: 'revoked', reason: 'certificateHold' });
    await world.registry.readmit(ADMIN, 'lamp-1');
    expect(await statusOf(serial)).toEqual({ kind: 'good' });
  });

  it('never says good for a serial number it did not issue', async () => {
    expect(await statusOf('41'.repeat(20))).toEqual({ kind: 'unknown' });
    // A certificate of ours, but of another issuer of ours.
    expect(await statusOf(world.authority.issuing.serialNumber)).toEqual({ kind: 'unknown' });
  });

  it('says revoked for everything under a revoked authority', async () => {
    const serial = await enroll('lamp-1');
    await world.revocation.certificate(ADMIN, world.authority.issuing.fingerprint, 'keyCompromise');
    expect(await statusOf(serial)).toMatchObject({ kind: 'revoked', reason: 'cACompromise' });
  });

  it('refuses to speak for issuers that are not its own, even of the same name', async () => {
    const { subject, spki } = decodeCertificate(world.authority.issuing.der);
    const foreign = (issuerNameHash: Uint8Array, issuerKeyHash: Uint8Array) =>
      encodeOcspCertId({ hashAlgorithm: OID.sha256, issuerNameHash, issuerKeyHash, serial: Uint8Array.of(0x41) });
    const other = sha256(Uint8Array.of(1));
    for (const certId of [foreign(sha256(subject.raw), other), foreign(other, sha256(spki.key))]) {
      expect(await responder.answer(encodeOcspRequest(certId))).toMatchObject({ error: 'unauthorized' });
    }
  });

  it.each([
    [1, 'echoed'],
    [23, 'echoed'],
    [128, 'echoed'],
    [0, 'refused'],
    [129, 'refused'],
  ] as const)('has a nonce of %i octets %s', async (length, outcome) => {
    const serial = await enroll('lamp-1');
    const nonce = new Uint8Array(length).fill(7);
    const answer = await responder.answer(encodeOcspRequest(issuer.certId(serial), nonce));
    if (outcome === 'refused') {
      expect(answer).toMatchObject({ kind: 'refused', error: 'malformedRequest' });
      return;
    }
    expect(answer).toMatchObject({ kind: 'signed', isShared: false });
    expect(basicOf(answer).nonce?.subarray(-length)).toEqual(nonce);
  });

  it('calls every prefix of a request, and one with bytes behind it, malformed', async () => {
    const whole = encodeOcspRequest(issuer.certId('41'.repeat(20)));
    const broken = Array.from({ length: whole.length }, (_, length) => whole.subarray(0, length));
    for (const bytes of [...broken, concatBytes(whole, decodeHex('00'))]) {
      expect(await responder.answer(bytes)).toMatchObject({ kind: 'refused', error: 'malformedRequest' });
    }
  });

  it('keeps an answer until half of its time, and never past a revocation', async () => {
    const serial = await enroll('lamp-1');
    const ask = () => responder.answer(encodeOcspRequest(issuer.certId(serial)));
    const first = await ask();
    expect(await ask()).toBe(first);
    world.clock.advance(OCSP_ANSWER_LIFE_MS / 2);
    const second = await ask();
    expect(basicOf(second).producedAt).toBeGreaterThan(basicOf(first).producedAt);
    await world.revocation.device(ADMIN, 'lamp-1', 'superseded');
    expect(await statusOf(serial)).toMatchObject({ kind: 'revoked' });
  });

  it('renews its signer at half life, and says when that fails', async () => {
    const first = signer.current().certificate;
    world.clock.advance(7 * DAY_MS - 1);
    expect(signer.current().certificate).toBe(first);
    world.clock.advance(3_600_000);
    await vi.waitFor(() => expect(signer.current().certificate.serial).not.toBe(first.serial));
    expect(signer.health()).toBe('fresh');
    keys.isGone = true;
    world.clock.advance(8 * DAY_MS);
    expect(signer.health()).toBe('half-life-passed');
    world.clock.advance(7 * DAY_MS);
    expect(signer.health()).toBe('expired');
    const answer = await responder.answer(encodeOcspRequest(issuer.certId('41'.repeat(20))));
    expect(answer).toMatchObject({ kind: 'refused', error: 'tryLater' });
  });

  it('replaces a signer made while the clock was ahead', async () => {
    const first = signer.current().certificate.serial;
    world.clock.jump(10 * DAY_MS);
    world.clock.advance(3_600_000);
    await vi.waitFor(() => expect(signer.current().certificate.serial).not.toBe(first));
    const ahead = signer.current().certificate.serial;
    world.clock.jump(-10 * DAY_MS);
    expect(signer.health()).toBe('expired');
    world.clock.advance(3_600_000);
    await vi.waitFor(() => expect(signer.health()).toBe('fresh'));
    expect(signer.current().certificate.serial).not.toBe(ahead);
  });

  it('asks to try later while the registry does not answer', async () => {
    const down = new OcspResponder({
      clock: world.clock,
      log: silentLog,
      certificates: {
        find: () => Promise.reject(new HoldfastError('store.unavailable')),
        findBySerial: () => Promise.reject(new HoldfastError('store.unavailable')),
      },
      holds: world.repositories.holds,
      issuer: world.authority.issuing,
      signer,
    });
    const request = encodeOcspRequest(issuer.certId('41'.repeat(20)));
    expect(await down.answer(request)).toMatchObject({ kind: 'refused', error: 'tryLater' });
  });
});
