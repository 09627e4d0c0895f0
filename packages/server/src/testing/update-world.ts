import { encodeHex, HoldfastError, type JsonValue, ManualClock, seededRandom, silentLog } from '@holdfast/kernel';
import type {
  AcceptedEvidence,
  DeviceRecord,
  IdentityRepositories,
  PostureRepositories,
  ProductRecord,
  ReleaseRecord,
  UpdateRepositories,
} from '@holdfast/trust/ports';
import type { DevicePrincipal, OperatorPrincipal } from '@holdfast/trust/principal';
import { ControlJobs, Deadlines, DeviceJobs, ExecutionWriter, Proof, Rollouts } from '@holdfast/trust/update';
import { type OpenStore, openStore } from '../persistence/index.ts';
import { identityRepositories } from '../persistence/repositories/identity.ts';
import { postureRepositories } from '../persistence/repositories/posture.ts';
import { updateRepositories } from '../persistence/repositories/update.ts';

export const OPERATOR: OperatorPrincipal = { kind: 'operator', tenant: 'default', name: 'ann', via: 'socket' };

/** The update room over a real store in memory, with a clock moved by hand; manifests are judged by one flag. */
export interface UpdateWorld {
  readonly clock: ManualClock;
  readonly opened: OpenStore;
  readonly repositories: IdentityRepositories & PostureRepositories & UpdateRepositories;
  readonly writer: ExecutionWriter;
  readonly rollouts: Rollouts;
  readonly jobs: DeviceJobs;
  readonly control: ControlJobs;
  readonly proof: Proof;
  readonly deadlines: Deadlines;
  /** Manifests that the judge refuses, as text. */
  readonly refusedManifests: Set<string>;
  /** Releases that their rehearsal refuses. */
  readonly unrehearsed: Set<string>;
  /** Devices whose posture leaves them updates alone. */
  readonly restricted: Set<string>;
  addProduct(change?: Partial<ProductRecord>): Promise<ProductRecord>;
  addDevice(deviceId: string, change?: Partial<DeviceRecord>): Promise<DevicePrincipal>;
  addRelease(releaseId: string, change?: Partial<ReleaseRecord>): Promise<ReleaseRecord>;
  /** Accepted evidence: recorded as posture and told to the update room. */
  prove(deviceId: string, evidence: Partial<AcceptedEvidence>): Promise<void>;
  /** Only recorded, as when the event has not arrived yet. */
  recordEvidence(deviceId: string, evidence: Partial<AcceptedEvidence>): Promise<AcceptedEvidence>;
}

const artifactUrl = (jobId: string): string => `https://localhost:8443/artifacts/${jobId}`;

export const MEASUREMENT_OLD = '0a'.repeat(32);
export const MEASUREMENT_NEW = '0b'.repeat(32);

export async function openUpdateWorld(): Promise<UpdateWorld> {
  const clock = new ManualClock();
  const opened = await openStore({ location: ':memory:', clock });
  const repositories = {
    ...identityRepositories(opened.reader),
    ...postureRepositories(opened.reader),
    ...updateRepositories(opened.reader),
  };
  const { store, audit, outbox } = opened;
  const base = { ...repositories, clock, store, audit, outbox, log: silentLog };
  const writer = new ExecutionWriter(base);
  const refusedManifests = new Set<string>();
  const restricted = new Set<string>();
  const unrehearsed = new Set<string>();
  const rehearsals = {
    require: (_principal: unknown, { releaseId }: ReleaseRecord) =>
      unrehearsed.has(releaseId)
        ? Promise.reject(new HoldfastError('boot.rehearsal_refused', { release: releaseId }))
        : Promise.resolve(),
  };
  const posture = {
    postureOf: ({ deviceId }: { readonly deviceId: string }) =>
      Promise.resolve({ rights: restricted.has(deviceId) ? ('restricted' as const) : ('full' as const) }),
  };
  const manifests = {
    refusalOf: (_release: ReleaseRecord, manifest: JsonValue) =>
      Promise.resolve(
        refusedManifests.has(JSON.stringify(manifest)) ? ('update.manifest_refused' as const) : undefined,
      ),
  };
  const ports = { ...base, writer, manifests, posture, random: seededRandom(7), artifactUrl };
  const approved = { ...ports, rehearsals };
  const recordEvidence = async (deviceId: string, evidence: Partial<AcceptedEvidence>): Promise<AcceptedEvidence> => {
    const whole: AcceptedEvidence = {
      digest: MEASUREMENT_OLD,
      version: '1.0.0',
      counter: 1,
      bootState: 'confirmed',
      releaseId: undefined,
      at: clock.now(),
      ...evidence,
    };
    const posture = { posture: 'proven', reasons: [], since: clock.now(), evidence: whole } as const;
    const known = await repositories.postures.find('default', deviceId);
    await store.commit([
      known === undefined
        ? repositories.postures.inserting({ tenant: 'default', deviceId, ...posture, revision: 0 })
        : repositories.postures.changing(known, posture),
    ]);
    return whole;
  };
  const proof = new Proof(ports);
  return {
    clock,
    opened,
    repositories,
    writer,
    rollouts: new Rollouts(approved),
    jobs: new DeviceJobs(ports),
    control: new ControlJobs(ports),
    proof,
    deadlines: new Deadlines(ports),
    refusedManifests,
    unrehearsed,
    restricted,
    async addProduct(change = {}) {
      const product = newProduct(clock.now(), change);
      await store.commit([repositories.products.inserting(product)]);
      return product;
    },
    async addDevice(deviceId, change = {}) {
      const device = newDevice(deviceId, clock.now(), change);
      await store.commit([
        repositories.devices.inserting(device),
        repositories.devices.joining('default', deviceId, 'all'),
      ]);
      return { kind: 'device', tenant: 'default', deviceId, fingerprint: encodeHex(new Uint8Array(32)) };
    },
    async addRelease(releaseId, change = {}) {
      const release = newRelease(releaseId, clock.now(), change);
      await store.commit([repositories.releases.inserting(release)]);
      return release;
    },
    recordEvidence,
    async prove(deviceId, evidence) {
      await proof.evidenceAccepted('default', deviceId, await recordEvidence(deviceId, evidence));
    },
  };
}

function newProduct(createdAt: number, change: Partial<ProductRecord>): ProductRecord {
  return {
    tenant: 'default',
    name: 'lamp',
    hardwareRevisions: ['rev-a', 'rev-b'],
    evidence: 'required',
    minimumVersion: undefined,
    minimumCounter: 0,
    imageKeyId: undefined,
    boot: { format: 'mcuboot', headerSize: 512, slotSize: 1_048_576, align: 8 },
    policies: [],
    restrictedPolicies: [],
    deviceConfiguration: {},
    enrollment: { approval: 'automatic', serverKeys: 'aws', binding: 'if-present' },
    certificateDays: 90,
    createdAt,
    revision: 0,
    ...change,
  };
}

function newDevice(deviceId: string, createdAt: number, change: Partial<DeviceRecord>): DeviceRecord {
  return {
    tenant: 'default',
    deviceId,
    product: 'lamp',
    serialNumber: deviceId,
    hardwareRevision: 'rev-a',
    state: 'active',
    stateReason: undefined,
    attributes: {},
    ueid: undefined,
    attestationAnchor: undefined,
    claimId: undefined,
    createdAt,
    enrolledAt: createdAt,
    revision: 0,
    ...change,
  };
}

let sequences = 0;
const nextSequence = (): number => ++sequences;

function newRelease(releaseId: string, createdAt: number, change: Partial<ReleaseRecord>): ReleaseRecord {
  return {
    tenant: 'default',
    releaseId,
    product: 'lamp',
    hardwareRevision: 'rev-a',
    version: '2.0.0',
    counter: 2,
    sequence: nextSequence(),
    state: 'published',
    artifactId: `artifact-${releaseId}`,
    imageSha256: '0c'.repeat(32),
    imageLength: 20_000,
    measurement: MEASUREMENT_NEW,
    streamId: `fw-${releaseId}`,
    manifest: JSON.stringify({ of: releaseId }),
    signatures: 1,
    threshold: 1,
    fileSignature: 'MEUCIQ==',
    createdAt,
    createdBy: 'operator:ann',
    ...change,
  };
}
