import { silentLog } from '@holdfast/kernel';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqlAuditLog } from '../persistence/repositories/audit.ts';
import { query } from '../persistence/index.ts';
import { RowPatrol } from '../persistence/row-patrol.ts';
import { type AlteredRow, RowSeal, SEALED_COLUMNS } from '../persistence/row-seal.ts';
import { compileWrite } from '../persistence/write.ts';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const KEY = new Uint8Array(32).fill(11);

let world: IdentityWorld;
let altered: AlteredRow[];
let counts: number[];
let seal: RowSeal;
let claim: ClaimPrincipal;
let fingerprint: string;

beforeEach(async () => {
  altered = [];
  counts = [];
  seal = new RowSeal(KEY, (row) => altered.push(row));
  world = await openIdentityWorld({ seal });
  await world.addProduct('lamp');
  claim = await world.addClaim({ serials: ['lamp-1'] });
  await world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
  fingerprint = await fingerprintOf('lamp-1');
});
afterEach(() => world.opened.close());

async function fingerprintOf(device: string): Promise<string> {
  const [certificate] = await world.repositories.certificates.ofDevice('default', device);
  return certificate?.fingerprint ?? '';
}

const commit = (...built: Parameters<typeof compileWrite>[0][]) =>
  world.opened.store.commit(built.map((each) => compileWrite(each)));

/** Writes one column as somebody with the database's password would. */
const setColumn = {
  device: (column: string, value: unknown) =>
    commit(
      query
        .updateTable('devices')
        .set({ [column]: value } as never)
        .where('device_id', '=', 'lamp-1'),
    ),
  certificate: (column: string, value: unknown) =>
    commit(
      query
        .updateTable('certificates')
        .set({ [column]: value } as never)
        .where('fingerprint', '=', fingerprint),
    ),
  claim: (column: string, value: unknown) =>
    commit(
      query
        .updateTable('claims')
        .set({ [column]: value } as never)
        .where('claim_id', '=', claim.claimId),
    ),
};

const VALUES: Readonly<Record<string, unknown>> = {
  state: 'suspended',
  attributes: '{"owner":"me"}',
  attestation_anchor: new Uint8Array(91),
  profile: 'operator',
  group_names: '["pilot"]',
  scope: 'quota',
};
const NUMBERS = /(_at|_before|_after|revision|quota|auto_register)$/;
/** Another row is not the same row: nobody is found, or by a name of their own. */
const NAMES = new Set(['tenant', 'device_id', 'fingerprint', 'claim_id']);

const valueFor = (column: string): unknown => VALUES[column] ?? (NUMBERS.test(column) ? 4_000_000_000_000 : 'other');

const columnsOf = (kind: keyof typeof SEALED_COLUMNS): readonly string[] =>
  SEALED_COLUMNS[kind]
    .filter((column) => kind !== 'claim' || !NAMES.has(column))
    .filter((column) => {
      const isName = kind === 'device' ? column === 'device_id' : column === 'fingerprint';
      return !isName && column !== 'tenant';
    });

const identify = () => world.peers.identify(fingerprint, world.clock.now());

describe('a row of the registry that was changed in the database', () => {
  it('is told from one that was not', async () => {
    expect((await identify()).kind).toBe('device');
    expect(altered).toEqual([]);
  });

  it.each(columnsOf('device'))('holds its device back: %s', async (column) => {
    await setColumn.device(column, valueFor(column));
    expect(await identify()).toMatchObject({ kind: 'refused', code: 'identity.device_quarantined' });
    expect(altered).toContainEqual({ kind: 'device', tenant: 'default', id: 'lamp-1' });
    expect(await world.registry.show('default', 'lamp-1')).toMatchObject({ state: 'quarantined' });
  });

  it.each(columnsOf('certificate'))('lets nobody in with its certificate: %s', async (column) => {
    await identify();
    await setColumn.certificate(column, valueFor(column));
    expect((await identify()).kind).toBe('refused');
    expect(altered).toContainEqual({ kind: 'certificate', tenant: 'default', id: fingerprint });
  });

  it.each(columnsOf('claim'))('lets nobody enroll with its claim: %s', async (column) => {
    await setColumn.claim(column, valueFor(column));
    expect(await world.peers.identify(claim.fingerprint, world.clock.now())).toMatchObject({ kind: 'refused' });
    await expect(world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'))).rejects.toMatchObject({
      code: 'identity.claim_revoked',
    });
    expect(altered).toContainEqual({ kind: 'claim', tenant: 'default', id: claim.claimId });
  });

  it.each(['device', 'certificate', 'claim'] as const)('is one without its code: %s', async (kind) => {
    await setColumn[kind]('mac', null);
    const id = kind === 'claim' ? claim.fingerprint : fingerprint;
    expect((await world.peers.identify(id, world.clock.now())).kind).toBe('refused');
  });

  it('does not bring a revoked device back', async () => {
    await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
    await setColumn.device('state', 'active');
    await commit(
      query
        .updateTable('certificates')
        .set({ state: 'active', revoked_at: null, revocation_reason: null })
        .where('fingerprint', '=', fingerprint),
    );
    expect((await identify()).kind).toBe('refused');
    expect(altered.map(({ kind }) => kind)).toContain('certificate');
  });

  it('does not take the code of another row, or of another key', async () => {
    const row = await world.opened.reader.first(
      query.selectFrom('devices').selectAll().where('device_id', '=', 'lamp-1'),
    );
    if (row === undefined) throw new TypeError('no such row');
    const foreign = new RowSeal(new Uint8Array(32).fill(12), () => undefined);
    await setColumn.device('mac', foreign.seal('device', row));
    expect((await identify()).kind).toBe('refused');
    await setColumn.device('mac', seal.seal('device', { ...row, device_id: 'lamp-2' }));
    expect((await identify()).kind).toBe('refused');
  });

  it('ends what an authority issued whose row it is, and lets none be added', async () => {
    const issuer = world.authority.issuing.fingerprint;
    await commit(query.updateTable('certificates').set({ not_after: 9e12 }).where('fingerprint', '=', issuer));
    expect(await identify()).toMatchObject({ kind: 'refused', code: 'identity.certificate_revoked' });
    await expect(world.repositories.certificates.activeOfProfile('default', 'issuing')).rejects.toMatchObject({
      code: 'identity.altered_authority',
    });
  });

  it('is over when an operator let the device back in, whose row is then written anew', async () => {
    await setColumn.device('hardware_revision', 'rev-z');
    expect((await identify()).kind).toBe('refused');
    await world.registry.readmit(ADMIN, 'lamp-1');
    expect((await identify()).kind).toBe('device');
  });
});

describe('the patrol of the registry', () => {
  let patrol: RowPatrol;

  beforeEach(() => {
    const { clock, opened } = world;
    patrol = new RowPatrol({
      ...opened,
      auditRecords: new SqlAuditLog(opened.reader),
      clock,
      log: silentLog,
      tenant: 'default',
      onAltered: (rows) => counts.push(rows),
    });
    seal = new RowSeal(KEY, patrol.report);
  });
  afterEach(() => patrol.close());

  /** A round waits between pages. */
  async function round(): Promise<void> {
    const state = { over: false };
    const looking = patrol.round(seal).finally(() => {
      state.over = true;
    });
    while (!state.over) {
      world.clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await looking;
  }

  const actions = async () => (await world.audit()).map(({ action }) => action);
  const eventNames = async () =>
    (await world.opened.reader.all(query.selectFrom('outbox').select(['name', 'subject']).orderBy('sequence'))).map(
      ({ name, subject }) => `${name} ${subject}`,
    );

  it('finds what no device came for, says so once and cuts who is connected', async () => {
    await setColumn.device('state', 'suspended');
    await round();
    await round();
    expect(counts).toEqual([1]);
    await expect.poll(actions).toContain('registry.row_altered');
    expect((await actions()).filter((action) => action === 'registry.row_altered')).toHaveLength(1);
    expect(await eventNames()).toContain('device.quarantined lamp-1');
  });

  it('says that it is over', async () => {
    await setColumn.device('state', 'suspended');
    await round();
    await world.registry.readmit(ADMIN, 'lamp-1');
    await round();
    expect(counts).toEqual([1, 0]);
  });

  it('seals what an earlier version wrote, once', async () => {
    await setColumn.device('mac', null);
    await patrol.sealOnce(seal);
    expect((await identify()).kind).toBe('device');
    expect((await world.audit()).at(-1)).toMatchObject({ action: 'registry.sealed', details: '{"rows":1}' });
    await setColumn.device('mac', null);
    await patrol.sealOnce(seal);
    expect((await identify()).kind).toBe('refused');
  });
});
