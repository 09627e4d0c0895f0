// Fills a registry and says what reading it costs: {"fillSeconds", "pages": {NAME: micros}, "identify": {...}}.
import { encodeHex, systemRandom } from '@holdfast/kernel';
import { DEFAULT_TENANT, type CertificateRecord, type DeviceRecord, type DeviceState } from '@holdfast/trust/ports';
import { OPERATOR, openServices, PRODUCT } from '../harness/fleet.ts';

const { folder, devices, revoked, questions } = JSON.parse(process.argv[2] ?? '{}') as {
  folder: string;
  devices: number;
  revoked: number;
  questions: number;
};

const services = await openServices(folder);
const { rooms, foundation } = services;
const { repositories } = rooms;
const { store } = foundation.database;
const UNIT = 2000;
/** A page of these, whatever the registry holds besides. */
const FEW = 100;

await rooms.products.create(OPERATOR, { name: PRODUCT, hardwareRevisions: ['rev-a'], evidence: 'none' });

const nameOf = (at: number): string => `lamp-${String(at).padStart(8, '0')}`;

function deviceAt(at: number): DeviceRecord {
  const state: DeviceState = at % (devices / FEW) === 7 ? 'suspended' : 'active';
  return {
    tenant: DEFAULT_TENANT,
    deviceId: nameOf(at),
    product: PRODUCT,
    serialNumber: nameOf(at),
    hardwareRevision: 'rev-a',
    state,
    stateReason: undefined,
    attributes: { line: `${at % 7}` },
    ueid: undefined,
    attestationAnchor: undefined,
    claimId: undefined,
    createdAt: 1_700_000_000_000,
    enrolledAt: 1_700_000_000_000,
    revision: 0,
  };
}

const random = (bytes: number): string => encodeHex(systemRandom.bytes(bytes));

function certificateAt(at: number, state: CertificateRecord['state']): CertificateRecord {
  return {
    tenant: DEFAULT_TENANT,
    fingerprint: random(32),
    serialNumber: random(16),
    profile: 'device',
    state,
    der: new Uint8Array(560),
    spkiSha256: random(32),
    issuer: rooms.authority.issuing.fingerprint,
    subjectId: nameOf(at),
    claimId: undefined,
    keyOrigin: 'device',
    door: 'est',
    notBefore: 1_700_000_000_000,
    notAfter: 4_000_000_000_000,
    issuedAt: 1_700_000_000_000,
    firstUsedAt: 1_700_000_000_000,
    revokedAt: state === 'revoked' ? 1_750_000_000_000 : undefined,
    revocationReason: state === 'revoked' ? 'superseded' : undefined,
  };
}

/** Processor time of this process for one call, in microseconds. */
async function micros(count: number, call: (at: number) => Promise<unknown>): Promise<number> {
  for (let at = 0; at < Math.ceil(count / 10); at++) await call(at);
  const before = process.cpuUsage();
  for (let at = 0; at < count; at++) await call(at);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

const filled = performance.now();
for (let from = 0; from < devices; from += UNIT) {
  const unit = Array.from({ length: Math.min(UNIT, devices - from) }, (_, at) => from + at);
  await store.commit([
    ...unit.map((at) => repositories.devices.inserting(deviceAt(at))),
    ...unit
      .filter((at) => at % (devices / FEW) === 3)
      .map((at) => repositories.devices.joining(DEFAULT_TENANT, nameOf(at), 'pilot')),
  ]);
}
const fillSeconds = (performance.now() - filled) / 1000;

const list = (filter: Parameters<typeof rooms.registry.list>[1]) => (at: number) => {
  const after = nameOf(Math.floor(((at % 97) / 100) * devices));
  return rooms.registry.list(DEFAULT_TENANT, filter, { after, limit: 100 });
};
const prefixOf = (at: number): string => nameOf(Math.floor(((at % 97) / 100) * devices)).slice(0, 10);
const pages = {
  all: await micros(questions, list({})),
  product: await micros(questions, list({ product: PRODUCT })),
  prefix: await micros(questions, (at) =>
    rooms.registry.list(DEFAULT_TENANT, { prefix: prefixOf(at) }, { limit: 100 }),
  ),
  state: await micros(questions, () => rooms.registry.list(DEFAULT_TENANT, { state: 'suspended' }, { limit: FEW })),
  group: await micros(questions, () => rooms.registry.list(DEFAULT_TENANT, { group: 'pilot' }, { limit: FEW })),
  'one device': await micros(questions * 10, (at) =>
    rooms.registry.show(DEFAULT_TENANT, nameOf((at * 9973) % devices)),
  ),
};

const living = Array.from({ length: 1000 }, (_, at) => certificateAt(at * 3 + 1, 'active')).filter(
  ({ subjectId }) => Number(subjectId?.slice(5)) < devices,
);
await store.commit(living.map((each) => repositories.certificates.inserting(each)));
const identify = async (at: number): Promise<void> => {
  const { fingerprint = '' } = living[at % living.length] ?? {};
  await rooms.peers.identify(fingerprint, 1_800_000_000_000);
};
const without = await micros(questions * 20, identify);
for (let from = 0; from < revoked; from += UNIT) {
  const unit = Array.from({ length: Math.min(UNIT, revoked - from) }, (_, at) => certificateAt(from + at, 'revoked'));
  await store.commit(unit.map((each) => repositories.certificates.inserting(each)));
}
const withRevoked = await micros(questions * 20, identify);
await services.close();
console.log(JSON.stringify({ fillSeconds, pages, identify: { without, with: withRevoked } }));
process.exit(0);
