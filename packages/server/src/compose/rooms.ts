import type { Signer } from '@holdfast/crypto';
import { encodeHex, HoldfastError, toHoldfastError } from '@holdfast/kernel';
import { KeySets, ProductPolicy, ReferenceValues } from '@holdfast/trust/boot';
import { DEFAULT_ARN_SCOPE, Explainer, Policies, PolicyAuthority, Shadows } from '@holdfast/trust/communication';
import {
  type AuthorityKeys,
  BulkRegistration,
  Campaigns,
  CertificateAuthority,
  Claims,
  CloneTrap,
  Decommission,
  Enrollment,
  HookSecrets,
  JitRegistration,
  Manufacturers,
  MassRevocation,
  OcspResponder,
  OcspSigner,
  OneTimePasswords,
  Operators,
  PeerIdentity,
  Ratchet,
  Registry,
  Revocation,
  RevocationList,
  Templates,
  TpmEnrollment,
  TpmTrust,
} from '@holdfast/trust/identity';
import type {
  ArtifactRecord,
  CommunicationRepositories,
  IdentityRepositories,
  PostureRepositories,
  Tenant,
} from '@holdfast/trust/ports';
import { Attestation, Postures, TpmReferences } from '@holdfast/trust/posture';
import {
  ArtifactAccess,
  ControlJobs,
  Deadlines,
  DeviceJobs,
  ExecutionWriter,
  FileStreams,
  Manifests,
  Proof,
  Rehearsals,
  type ReleaseFiles,
  ReleaseRoots,
  Releases,
  Rollouts,
  UpdateReactions,
} from '@holdfast/trust/update';
import { communicationRepositories } from '../persistence/repositories/communication.ts';
import { SqlImageKeyRepository } from '../persistence/repositories/image-keys.ts';
import { identityRepositories } from '../persistence/repositories/identity.ts';
import { postureRepositories } from '../persistence/repositories/posture.ts';
import { updateRepositories } from '../persistence/repositories/update.ts';
import { Webhooks } from '../engines/hooks/webhooks.ts';
import { ThreadRehearser } from '../engines/rehearsal/thread-rehearser.ts';
import type { Foundation } from './foundation.ts';
import { watchIssuingKey } from './issuing-key.ts';
import { derivedKey } from './derived-key.ts';
import { watchRenewals } from './renewal-alarm.ts';
import { openRowSeal } from './row-seal.ts';
import { openPasswordKey } from './password-key.ts';
import { ImageKeys } from './image-keys.ts';

export interface RoomAddresses {
  /** Where anybody fetches the revocation list of an issuer. */
  readonly crlUri: (issuer: string) => string;
  /** Where anybody asks whether a certificate is revoked. */
  readonly ocspUri?: string;
  /** HTTPS address of a job's file on the device listener. */
  readonly artifactUrl: (jobId: string) => string;
}

export type Rooms = Awaited<ReturnType<typeof openRooms>>;

const ORGANIZATION = 'Holdfast';
const FILE_KEY = 'file-signing';
const MAX_ARTIFACT = 1024 * 1024 * 1024;
const SWEEP_MS = 300_000;
const RESUME_MS = 60_000;

/** The five must-haves, each room's services over its own ports. */
export async function openRooms(foundation: Foundation, addresses: RoomAddresses) {
  const { reader } = foundation.database;
  const { policies } = communicationRepositories(reader);
  const seal = await openRowSeal(foundation);
  const repositories = { ...identityRepositories(reader, seal), ...postureRepositories(reader), policies };
  const identity = await openIdentity(foundation, repositories, addresses);
  const posture = openPosture(foundation, repositories, identity.registry);
  const communication = openCommunication(foundation, repositories, posture.postures);
  const update = await openUpdate(foundation, repositories, posture, addresses);
  const { store, audit } = foundation.database;
  const templates = new Templates({
    ...repositories,
    clock: foundation.clock,
    store,
    audit,
    hookSecrets: identity.hookSecrets,
    keepPolicy: async (principal, name, document) => void (await communication.policies.put(principal, name, document)),
  });
  return { repositories, ...identity, ...posture, ...communication, ...update, templates };
}

type SharedRepositories = IdentityRepositories & PostureRepositories & Pick<CommunicationRepositories, 'policies'>;

async function openIdentity(foundation: Foundation, repositories: SharedRepositories, addresses: RoomAddresses) {
  const { clock, random, log, tenant, closers, database } = foundation;
  const { store, audit, outbox } = database;
  const shared = { clock, random, log, store, audit, outbox, ...repositories };
  const authority = await CertificateAuthority.open(
    { ...shared, keys: authorityKeys(foundation) },
    { tenant, organization: ORGANIZATION, crlUri: addresses.crlUri, ocspUri: addresses.ocspUri },
  );
  const issuingKeyReference = await watchIssuingKey(foundation, authority, repositories.keyOwners);
  const registry = new Registry(shared);
  const revocation = new Revocation(shared);
  const revocationList = new RevocationList({ ...shared, authority, crlUri: addresses.crlUri });
  await revocationList.start();
  closers.add('revocation list', () => revocationList.close());
  const ocspSigner = new OcspSigner({ ...shared, authority });
  await ocspSigner.start();
  closers.add('ocsp signer', () => ocspSigner.close());
  const hookSecrets = new HookSecrets(foundation);
  const hooks = new Webhooks({ clock, random, secretOf: (owner, name) => hookSecrets.read(owner, name) });
  const enrollment = new Enrollment({ ...shared, authority, hooks });
  const peers = new PeerIdentity(shared);
  const sweeping = clock.every(SWEEP_MS, () => {
    if (foundation.leadership.leads()) void sweep(enrollment, foundation);
  });
  closers.add('enrollment sweep', () => sweeping.cancel());
  const campaigns = new Campaigns(shared);
  const turns = campaigns.start(tenant);
  watchRenewals(foundation, repositories);
  closers.add('renewal campaigns', () => turns.close());
  return {
    authority,
    issuingKeyReference,
    registry,
    revocation,
    massRevocation: new MassRevocation({ ...shared, revocation }),
    revocationList,
    ocspSigner,
    ocsp: new OcspResponder({ ...shared, issuer: authority.issuing, signer: ocspSigner }),
    enrollment,
    peers,
    operators: new Operators({ ...shared, authority, revocation, peers }),
    passwords: new OneTimePasswords({ ...shared, passwordKey: await openPasswordKey(foundation) }),
    claims: new Claims({ ...shared, authority, revocation }),
    cloneTrap: new CloneTrap({ clock, registry }),
    campaigns,
    decommission: new Decommission({
      ...shared,
      registry,
      revocation,
      key: derivedKey(foundation, 'destruction-challenges'),
    }),
    ratchet: new Ratchet({ ...shared, registry, key: derivedKey(foundation, 'ratchet-values') }),
    hookSecrets,
    jit: new JitRegistration({ ...shared, hooks }),
    bulk: new BulkRegistration({ ...shared, hooks, authority }),
    manufacturers: new Manufacturers({ ...shared, codeKey: codeKeyOf(foundation) }),
    tpmTrust: new TpmTrust(shared),
    tpmEnrollment: new TpmEnrollment({ ...shared, enrollment, challengeKey: challengeKeyOf(foundation) }),
  };
}

/** Of its own: a registration code is shown to whoever registers an authority. */
function codeKeyOf(foundation: Foundation): Uint8Array {
  return derivedKey(foundation, 'registration-codes');
}

/** The same on every node: a challenge that one gave is answered at another. */
function challengeKeyOf(foundation: Foundation): Uint8Array {
  return derivedKey(foundation, 'tpm-challenges');
}

function authorityKeys({ keys, database, config }: Foundation): AuthorityKeys {
  return {
    creating: ({ profile, ...wish }) =>
      keys.creating({ ...wish, reference: profile === 'issuing' ? config.issuingKey : undefined }),
    signer: (tenant, keyId) => keys.signer(tenant, keyId),
    async destroy({ tenant, keyId, actor }) {
      const record = await keys.find(tenant, keyId);
      if (record === undefined) throw new HoldfastError('storage.unknown_key', { keyId });
      await keys.change(record, 'destroy', actor);
      await database.store.checkpoint();
    },
  };
}

async function sweep(enrollment: Enrollment, { log }: Foundation): Promise<void> {
  try {
    await enrollment.sweep();
  } catch (error) {
    log.warn('unclaimed certificates could not be swept', { code: toHoldfastError(error).code });
  }
}

/** What the store refused in the middle of a rollout must not wait for the next start; one that is broken, stop none. */
async function resume(rollouts: Rollouts, { log }: Foundation): Promise<void> {
  try {
    await rollouts.resume();
  } catch (error) {
    log.warn('a rollout could not be resumed', { code: toHoldfastError(error).code });
  }
}

function openPosture({ clock, random, database }: Foundation, repositories: SharedRepositories, registry: Registry) {
  const { store, audit, outbox } = database;
  const shared = { clock, random, store, audit, outbox, ...repositories };
  const referenceValues = new ReferenceValues(shared);
  return {
    referenceValues,
    products: new ProductPolicy(shared),
    postures: new Postures(shared),
    tpmReferences: new TpmReferences(shared),
    attestation: new Attestation({ ...shared, registry, referenceValues }),
  };
}

function openCommunication(foundation: Foundation, repositories: SharedRepositories, posture: Postures) {
  const { clock, log, database } = foundation;
  const { store, audit, outbox, reader } = database;
  const { policies, shadows } = communicationRepositories(reader);
  const policyAuthority = new PolicyAuthority({
    ...repositories,
    clock,
    log,
    policies,
    posture,
    scopeOf: () => DEFAULT_ARN_SCOPE,
  });
  const shared = { ...repositories, clock, policies, store, audit, outbox, scopeOf: () => DEFAULT_ARN_SCOPE };
  return {
    policyAuthority,
    policies: new Policies(shared),
    explainer: new Explainer({ ...repositories, authority: policyAuthority }),
    shadows: new Shadows({ ...repositories, ...foundation, store, audit, shadows }),
  };
}

async function openUpdate(
  foundation: Foundation,
  repositories: SharedRepositories,
  { referenceValues, postures }: { readonly referenceValues: ReferenceValues; readonly postures: Postures },
  { artifactUrl }: RoomAddresses,
) {
  const { clock, random, log, tenant, closers, database } = foundation;
  const { store, audit, outbox, reader } = database;
  const shared = { clock, random, log, store, audit, outbox, ...repositories, ...updateRepositories(reader) };
  const keySets = new KeySets({
    ...shared,
    imageKeys: new SqlImageKeyRepository(reader),
    spkiOf: (owner, keyId) => images.spkiOf(owner, keyId),
  });
  const images: ImageKeys = new ImageKeys({ ...foundation, sets: keySets });
  const files = releaseFiles(foundation);
  const roots = new ReleaseRoots({ ...shared, keys: releaseKeys(foundation) });
  await roots.ensure(tenant);
  const writer = new ExecutionWriter(shared);
  const access = new ArtifactAccess({ ...shared, files });
  const manifests = new Manifests({ roots });
  const jobs = new DeviceJobs({ ...shared, writer, manifests, posture: postures });
  const rehearsals = new Rehearsals({ ...shared, files, keys: keySets, rehearser: new ThreadRehearser() });
  closers.add('rehearsals', () => rehearsals.close());
  const rollouts = new Rollouts({ ...shared, rehearsals, writer, artifactUrl });
  const control = new ControlJobs({ ...shared, writer });
  const proof = new Proof({ ...shared, writer });
  const deadlines = new Deadlines({ ...shared, writer });
  deadlines.start();
  closers.add('job deadlines', () => deadlines.close());
  await resume(rollouts, foundation);
  const resuming = clock.every(RESUME_MS, () => {
    if (foundation.leadership.leads()) void resume(rollouts, foundation);
  });
  closers.add('rollout resumption', () => resuming.cancel());
  return {
    images,
    keySets,
    roots,
    access,
    jobs,
    rollouts,
    rehearsals,
    control,
    streams: new FileStreams({ access }),
    releases: new Releases({
      ...shared,
      referenceValues,
      images,
      files,
      roots,
      fileSigner: (owner) => ensureSigner(foundation, owner, FILE_KEY),
    }),
    updateReactions: new UpdateReactions({ proof, control, rollouts }),
    storeUpload: (owner: Tenant, actor: string, content: AsyncIterable<Uint8Array>): Promise<ArtifactRecord> =>
      foundation.artifacts.create({ tenant: owner, actor, content, maxBytes: MAX_ARTIFACT }),
  };
}

function releaseFiles({ artifacts }: Foundation): ReleaseFiles {
  return {
    open: (tenant, artifactId) => artifacts.open(tenant, artifactId),
    async store(tenant, image) {
      const content = (async function* () {
        yield image;
      })();
      const record = await artifacts.create({ tenant, actor: 'system', content, maxBytes: image.length });
      return record.artifactId;
    },
  };
}

/** Manifest keys are other keys than image keys: whoever has one cannot ship firmware with it alone. */
function releaseKeys(foundation: Foundation) {
  const { keys, random } = foundation;
  return {
    async create(tenant: Tenant) {
      const keyId = `release-root-${encodeHex(random.bytes(8))}`;
      return { keyId, signer: await ensureSigner(foundation, tenant, keyId) };
    },
    async signer(tenant: Tenant, keyId: string): Promise<Signer> {
      const signer = await keys.signer(tenant, keyId);
      if (signer === undefined) throw new HoldfastError('storage.unknown_key', { keyId });
      return signer;
    },
  };
}

async function ensureSigner({ keys }: Foundation, tenant: Tenant, keyId: string): Promise<Signer> {
  if ((await keys.find(tenant, keyId)) === undefined) await keys.create({ tenant, keyId, actor: 'system' });
  const signer = await keys.signer(tenant, keyId);
  if (signer === undefined) throw new HoldfastError('storage.unknown_key', { keyId });
  return signer;
}
