import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodePem } from '@holdfast/wire/pem';
import { type CertificateList, decodeCertificate, decodeCrl } from '@holdfast/wire/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const DAY_MS = 86_400_000;

let folder: string;
let world: IdentityWorld;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-lists-'));
  world = await openIdentityWorld();
  await world.addProduct('lamp');
});
afterEach(async () => {
  await world.opened.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Enrolled {
  readonly der: Uint8Array;
  readonly serial: string;
  /** Id of the list its certificate names. */
  readonly list: string;
}

async function enroll(name: string): Promise<Enrolled> {
  const claim = await world.addClaim({ serials: [name] });
  const { certificateDer: der } = await world.enrollment.enrollDirect(claim, await makeCsr(), connection(name, 'est'));
  const { known, serial } = decodeCertificate(der);
  const [point] = known.crlDistributionPoints ?? [];
  const [uri] = point?.fullName ?? [];
  if (uri?.kind !== 'uri') throw new TypeError('the certificate names no list');
  return { der, serial, list: uri.text.slice('http://localhost:8880/crl/'.length, -'.crl'.length) };
}

async function listOf(id: string): Promise<CertificateList> {
  const stored = await world.repositories.crls.find(id);
  if (stored === undefined) throw new TypeError(`no list ${id}`);
  return decodeCrl(stored.der);
}

const reasons = ({ revoked }: CertificateList) => revoked.map(({ reason, serial }) => `${serial} ${reason}`);
const whole = () => listOf(world.authority.issuing.fingerprint);
const delta = () => listOf(`${world.authority.issuing.fingerprint}-delta`);

function pem(name: string, label: string, ...ders: readonly Uint8Array[]): string {
  const file = path.join(folder, name);
  writeFileSync(file, ders.map((der) => encodePem(label, der)).join(''));
  return file;
}

function verify(leaf: Uint8Array, lists: readonly Uint8Array[], ...extra: readonly string[]): string {
  const at = Math.floor(world.clock.now() / 1000);
  const { status, stderr } = spawnSync(
    'openssl',
    [
      'verify',
      '-x509_strict',
      '-attime',
      String(at),
      '-crl_check',
      ...extra,
      '-CRLfile',
      pem('lists.pem', 'X509 CRL', ...lists),
      '-CAfile',
      pem('root.pem', 'CERTIFICATE', world.authority.rootDer),
      '-untrusted',
      pem('issuing.pem', 'CERTIFICATE', world.authority.issuing.der),
      pem('leaf.pem', 'CERTIFICATE', leaf),
    ],
    { encoding: 'utf8' },
  );
  return status === 0 ? 'OK' : stderr;
}

/** Two devices whose certificates name two lists. */
async function enrollApart(): Promise<readonly [Enrolled, Enrolled]> {
  const first = await enroll('lamp-0');
  for (let i = 1; ; i++) {
    const next = await enroll(`lamp-${i}`);
    if (next.list !== first.list) return [first, next];
    world.clock.advance(1000);
  }
}

describe('the parts of a revocation list', () => {
  it('speak each of their own certificates, with the address that stands in them, and cannot be swapped', async () => {
    const [one, other] = await enrollApart();
    await world.crl.publish('all');
    world.clock.advance(1000);
    await world.revocation.device(ADMIN, 'lamp-0', 'keyCompromise');
    await world.crl.publish();
    const [own, foreign] = [await listOf(one.list), await listOf(other.list)];
    expect(reasons(own)).toEqual([`${one.serial} keyCompromise`]);
    expect(reasons(foreign)).toEqual([]);
    expect(own.issuingDistributionPoint).toMatchObject({ onlyUserCerts: true, indirect: false });
    expect(own.extensions.filter(({ critical }) => critical)).toHaveLength(1);
    expect(verify(one.der, [own.raw])).toContain('certificate revoked');
    expect(verify(other.der, [foreign.raw])).toBe('OK');
    // An attacker who serves another part gets no acceptance.
    expect(verify(one.der, [foreign.raw])).toMatch(/unable to get certificate CRL|different CRL scope/i);
    expect(verify(one.der, [(await whole()).raw])).toContain('certificate revoked');
  });

  it('are signed anew only when they say something else, and all of them on the timer', async () => {
    const [one, other] = await enrollApart();
    await world.crl.publish('all');
    world.clock.advance(1000);
    await world.revocation.device(ADMIN, 'lamp-0', 'unspecified');
    await world.crl.publish();
    const numbers = async () => [(await listOf(one.list)).crlNumber, (await listOf(other.list)).crlNumber];
    expect(await numbers()).toEqual([2n, 1n]);
    await world.crl.publish('all');
    expect(await numbers()).toEqual([3n, 3n]);
    expect((await whole()).crlNumber).toBe(3n);
  });
});

describe('the delta', () => {
  it('tells whoever has a list in force what changed, and bears the number of the list made with it', async () => {
    const [one, other] = await enrollApart();
    await world.crl.publish('all');
    const base = await whole();
    expect(base.freshestCrl).toHaveLength(1);
    world.clock.advance(60_000);
    await world.revocation.device(ADMIN, 'lamp-0', 'keyCompromise');
    await world.crl.publish();
    const change = await delta();
    expect([change.baseCrlNumber, change.crlNumber, (await whole()).crlNumber]).toEqual([1n, 2n, 2n]);
    expect(reasons(change)).toEqual([`${one.serial} keyCompromise`]);
    expect(verify(one.der, [base.raw])).toBe('OK');
    expect(verify(one.der, [base.raw, change.raw], '-use_deltas', '-extended_crl')).toContain('certificate revoked');
    expect(verify(other.der, [base.raw, change.raw], '-use_deltas', '-extended_crl')).toBe('OK');
  });

  it('goes on from the oldest list in force, and from a new one when that has ended', async () => {
    const { serial } = await enroll('lamp-0');
    await world.crl.publish('all');
    world.clock.advance(DAY_MS / 2);
    await world.revocation.device(ADMIN, 'lamp-0', 'unspecified');
    await world.crl.publish();
    expect((await delta()).baseCrlNumber).toBe(1n);
    world.clock.advance(DAY_MS / 2 + 1000);
    await world.crl.publish();
    expect([(await delta()).baseCrlNumber, reasons(await delta())]).toEqual([3n, []]);
    expect(reasons(await whole())).toEqual([`${serial} unspecified`]);
  });
});

describe('a device that is held back', () => {
  it.each(['suspend', 'quarantine'] as const)('is on hold after %s, and taken off when let back in', async (how) => {
    const { der, list, serial } = await enroll('lamp-0');
    await world.crl.publish('all');
    world.clock.advance(60_000);
    if (how === 'suspend') await world.registry.suspend(ADMIN, 'lamp-0');
    else await world.registry.quarantine(ADMIN, 'lamp-0', { code: 'test', words: 'seen twice', details: {} });
    await world.crl.publish();
    for (const found of [await whole(), await delta(), await listOf(list)]) {
      expect(reasons(found)).toEqual([`${serial} certificateHold`]);
    }
    expect(verify(der, [(await whole()).raw])).toContain('certificate revoked');
    world.clock.advance(60_000);
    await world.registry.readmit(ADMIN, 'lamp-0');
    await world.crl.publish();
    expect(reasons(await delta())).toEqual([`${serial} removeFromCRL`]);
    for (const found of [await whole(), await listOf(list)]) expect(reasons(found)).toEqual([]);
    expect(verify(der, [(await whole()).raw])).toBe('OK');
  });

  it('says off on its own part also when the list it was held on ended meanwhile', async () => {
    const { list } = await enroll('lamp-0');
    await world.crl.publish('all');
    await world.registry.suspend(ADMIN, 'lamp-0');
    world.clock.advance(DAY_MS - 1000);
    await world.crl.publish();
    world.clock.advance(500);
    await world.registry.readmit(ADMIN, 'lamp-0');
    world.clock.advance(1000);
    await world.crl.publish();
    expect(reasons(await listOf(list))).toEqual([]);
  });

  it('is revoked for good in one entry when it is revoked on hold', async () => {
    const { serial } = await enroll('lamp-0');
    await world.registry.suspend(ADMIN, 'lamp-0');
    await world.revocation.device(ADMIN, 'lamp-0', 'keyCompromise');
    await world.crl.publish('all');
    expect(reasons(await whole())).toEqual([`${serial} keyCompromise`]);
    await world.registry.readmit(ADMIN, 'lamp-0');
    world.clock.advance(1000);
    await world.crl.publish();
    expect(reasons(await whole())).toEqual([`${serial} keyCompromise`]);
  });
});
