import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generatePrivateKey } from '@holdfast/crypto';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { query } from '../persistence/index.ts';
import { FileAuthorityKeys } from '../testing/enrolling-process.ts';
import { ADMIN, type IdentityWorld, openIdentityWorld } from '../testing/identity-world.ts';

const PROGRAM = path.join(import.meta.dirname, '../testing/enrolling-process.ts');
const DEVICES = 60;
const KILLS = 8;

let folder: string;
let claim: ClaimPrincipal;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-crash-'));
  const keys = await Promise.all(Array.from({ length: DEVICES }, () => generatePrivateKey('P-256')));
  writeFileSync(
    path.join(folder, 'devices.json'),
    JSON.stringify(keys.map((key) => Buffer.from(key.exportPkcs8()).toString('base64'))),
  );
  const world = await open();
  await world.addProduct('lamp');
  await world.products.setEnrollment(ADMIN, 'lamp', { serverKeys: 'everywhere' });
  claim = await world.addClaim({ quota: DEVICES });
  const minted = await world.passwords.mint(ADMIN, { claimId: claim.claimId, count: DEVICES });
  const passwords = minted.map(({ record, password }) => ({ name: record.passwordId, password }));
  writeFileSync(path.join(folder, 'passwords.json'), JSON.stringify(passwords));
  await world.opened.close();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (): Promise<IdentityWorld> =>
  openIdentityWorld({ location: path.join(folder, 'records.db'), keys: new FileAuthorityKeys(folder) });

/** Runs the clients until `kill` answers are seen, then kills them without warning. @returns whether all were served */
async function run(kill: number): Promise<boolean> {
  const child = spawn(process.execPath, [PROGRAM, folder, JSON.stringify(claim)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let answers = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    answers += chunk.toString().split('\n').length - 1;
    if (answers >= kill) child.kill('SIGKILL');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0;
}

/** No certificate without its log entry, its key's owner and, when active, its device; and none twice. */
async function check(world: IdentityWorld): Promise<number> {
  const { reader } = world.opened;
  const certificates = await reader.all(query.selectFrom('certificates').selectAll().where('profile', '=', 'device'));
  const issued = new Set(
    (await world.audit()).filter(({ action }) => action === 'certificate.issued').map(({ subject }) => subject),
  );
  const enrolled = (await world.audit()).filter(({ action }) => action === 'device.enrolled');
  const { rows: devices } = await world.registry.list('default', {}, { limit: 1000 });
  for (const certificate of certificates) {
    expect(issued.has(certificate.fingerprint)).toBe(true);
    const owner = await world.repositories.keyOwners.find(certificate.spki_sha256);
    expect(owner?.kind).toBe(certificate.state === 'pending' ? 'pending' : 'device');
  }
  const active = certificates.filter(({ state }) => state === 'active').map(({ subject_id }) => subject_id ?? '');
  expect(active.sort()).toEqual(devices.map(({ deviceId }) => deviceId).sort());
  expect(enrolled.map(({ subject }) => subject).sort()).toEqual(devices.map(({ deviceId }) => deviceId).sort());
  expect((await world.claims.show('default', claim.claimId)).used).toBe(devices.length);
  return devices.length;
}

it('leaves nothing half done when the process is killed while devices enroll, and serves them all in the end', async () => {
  for (let round = 1; round <= KILLS; round++) {
    // Clients start over from the first device each time, as they would after a lost connection.
    await run(round * Math.floor(DEVICES / (KILLS + 1)));
    const world = await open();
    await check(world);
    await world.opened.close();
  }
  expect(await run(Number.POSITIVE_INFINITY)).toBe(true);
  const world = await open();
  expect(await check(world)).toBe(DEVICES);
  await world.opened.close();
});
