import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Status, TrustAnchors } from '@holdfast/api';
import { formatRfc3339, HoldfastError, parseStrictJson } from '@holdfast/kernel';
import { RegistryImport, type ServerCredential } from '@holdfast/trust/identity';
import type { ProductRecord, ReleaseRecord } from '@holdfast/trust/ports';
import { actorOf } from '@holdfast/trust/principal';
import type { RootInForce } from '@holdfast/trust/update';
import { encodePem } from '@holdfast/wire/pem';
import {
  ConsoleSessions,
  createManagementListener,
  listenOnSocket,
  loadAssets,
  managementHandlers,
  type ManagementPorts,
} from '../protocols/management/index.ts';
import type { Foundation } from './foundation.ts';
import { type Gateway, type ListeningPort, materialOf } from './gateway.ts';
import { createLiveFeed } from './live-feed.ts';
import type { Rooms } from './rooms.ts';

const ASSETS = fileURLToPath(new URL('../../../console/dist', import.meta.url));
const SOCKET = 'holdfast.sock';
const VERSION = '0.1.0';

export interface Management {
  readonly status: () => Promise<Status>;
  readonly sessions: ConsoleSessions;
  readonly consoleOrigin: () => string;
  readonly ports: readonly ListeningPort[];
  replaceCertificate(credential: ServerCredential): void;
}

/** What operators use: the API and the page over HTTPS, and the socket of the command line. */
export async function openManagement(
  foundation: Foundation,
  rooms: Rooms,
  gateway: Gateway,
  credential: ServerCredential,
): Promise<Management> {
  const { clock, random, log, closers, config, lock, tenant, database } = foundation;
  const sessions = new ConsoleSessions({ clock, random });
  const feed = createLiveFeed({ events: database.events, presence: gateway.presence, clock, tenant });
  closers.add('console feed', () => feed.close());
  const ports: ListeningPort[] = [];
  const consoleOrigin = () => `https://${config.names[0] ?? 'localhost'}:${ports[0]?.port ?? config.portManagement}`;
  const startedAt = clock.now();
  const status = statusOf(foundation, rooms, gateway, { startedAt, ports });
  const managementPorts: ManagementPorts = {
    tenant,
    clock,
    log,
    handlers: managementHandlers(servicesOf(foundation, rooms, gateway, status)),
    sessions,
    feed,
    assets: loadAssets(ASSETS),
    operators: rooms.operators,
    onForbidden: (principal, operation) =>
      gateway.trail.record(`operator ${principal.name}`, {
        tenant,
        actor: actorOf(principal),
        action: 'operator.refused',
        subject: operation,
        details: {},
      }),
    consoleOrigin,
  };
  const tlsOf = (shown: ServerCredential) => {
    const { keyPem: key, chainPem: cert } = materialOf(shown);
    return { key, cert, ca: rooms.authority.trustedDer.map((der) => encodePem('CERTIFICATE', der)) };
  };
  const listener = createManagementListener(managementPorts, tlsOf(credential));
  const revocations = database.events.subscribe('operator-connections', ({ name, subject }) => {
    if (name === 'certificate.revoked') listener.cut(subject);
  });
  closers.add('operator connections', () => revocations.close());
  const port = await listener.listen({ host: config.listen, port: config.portManagement });
  ports.push({ name: 'management', address: config.listen, port });
  closers.add('management listener', () => listener.app.close());
  const socket = await listenOnSocket(managementPorts, path.join(lock.folder, SOCKET));
  closers.add('management socket', () => socket.close());
  return {
    status,
    sessions,
    consoleOrigin,
    ports,
    replaceCertificate(renewed) {
      listener.replaceCertificate(tlsOf(renewed));
    },
  };
}

function servicesOf(foundation: Foundation, rooms: Rooms, gateway: Gateway, status: () => Promise<Status>) {
  const { clock, checkpoints, auditTrail } = foundation;
  const { authority, repositories, registry, revocation, claims, products, images } = rooms;
  const toPem = (der: Uint8Array) => encodePem('CERTIFICATE', der);
  return {
    clock,
    authority,
    operators: rooms.operators,
    massRevocation: rooms.massRevocation,
    campaigns: rooms.campaigns,
    ratchet: rooms.ratchet,
    decommission: rooms.decommission,
    enrollment: rooms.enrollment,
    devices: repositories.devices,
    registryImport: new RegistryImport({ ...repositories, registry, revocation }),
    cutCertificate: (fingerprint: string) =>
      gateway.sessions.cut({ kind: 'certificate', fingerprint }, 'certificate-revoked').sessions,
    registry,
    revocation,
    claims,
    passwords: rooms.passwords,
    tpmTrust: rooms.tpmTrust,
    tpmReferences: rooms.tpmReferences,
    approvals: rooms.enrollment.approvals,
    products,
    templates: rooms.templates,
    manufacturers: rooms.manufacturers,
    jit: rooms.jit,
    bulk: rooms.bulk,
    policies: rooms.policies,
    explainer: rooms.explainer,
    shadows: rooms.shadows,
    sinks: gateway.sinks,
    auditing: { store: foundation.database.store, log: foundation.database.audit },
    certificates: repositories.certificates,
    postures: rooms.postures,
    presence: gateway.presence,
    jobs: rooms.control,
    releases: rooms.releases,
    rollouts: rooms.rollouts,
    rehearsals: rooms.rehearsals,
    imageKeys: images,
    keySets: rooms.keySets,
    audit: {
      list: auditTrail.list.bind(auditTrail),
      verify: async () => {
        await checkpoints.flush();
        return auditTrail.verify(checkpoints.key);
      },
    },
    chainPem: (der: Uint8Array) => [der, ...authority.chainDer].map(toPem).join(''),
    cut: async (tenant: string, deviceId: string) =>
      gateway.sessions.cut({ kind: 'device', tenant, deviceId }, 'device-revoked').sessions,
    trustAnchors: (product: ProductRecord) => trustAnchorsOf(rooms, product),
    uploads: {
      store: async (principal: Parameters<typeof actorOf>[0], octets: AsyncIterable<Uint8Array>) => {
        const record = await rooms.storeUpload(principal.tenant, actorOf(principal), octets);
        return { id: record.artifactId, sha256: record.sha256, length: record.size };
      },
    },
    imageFacts: (release: ReleaseRecord) => imageFactsOf(release),
    imageBytes: (release: ReleaseRecord) => imageBytesOf(foundation, release),
    status,
  };
}

async function trustAnchorsOf({ authority, keySets, roots }: Rooms, product: ProductRecord): Promise<TrustAnchors> {
  const [keys, root] = await Promise.all([keySets.list(product), roots.inForce(product.tenant)]);
  const active = keys.find(({ state }) => state === 'active');
  if (active === undefined) throw new HoldfastError('storage.unknown_key', { product: product.name });
  const accepted = keys.filter(({ state }) => state !== 'revoked');
  return {
    tlsAnchorsPem: authority.anchorsDer.map((der) => encodePem('CERTIFICATE', der)).join(''),
    imageKeyPem: encodePem('PUBLIC KEY', active.spki),
    imageKeysPem: accepted.map(({ spki }) => encodePem('PUBLIC KEY', spki)).join(''),
    releaseRoot: parseStrictJson(root.document),
  };
}

async function imageFactsOf(release: ReleaseRecord): Promise<Record<string, string | number>> {
  return {
    measurement: release.measurement,
    version: release.version,
    securityCounter: release.counter,
    sha256: release.imageSha256,
    length: release.imageLength,
  };
}

async function imageBytesOf(
  { artifacts }: Foundation,
  { tenant, artifactId, imageLength }: ReleaseRecord,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = await artifacts.open(tenant, artifactId);
  if (file === undefined) throw new HoldfastError('storage.unknown_artifact', { artifactId });
  try {
    return new Uint8Array(await file.read({ start: 0, end: imageLength }));
  } finally {
    await file.close();
  }
}

function statusOf(
  { alarms, clock, tenant }: Foundation,
  rooms: Rooms,
  gateway: Gateway,
  { startedAt, ports }: { readonly startedAt: number; readonly ports: readonly ListeningPort[] },
): () => Promise<Status> {
  const { authority, roots } = rooms;
  return async () => ({
    version: VERSION,
    startedAt: formatRfc3339(startedAt),
    now: formatRfc3339(clock.now()),
    tenant,
    rootFingerprint: authority.rootFingerprint,
    rootKeyOnline: authority.rootIsOnline,
    releaseRoot: rootFacts(await roots.inForce(tenant)),
    listeners: [...gateway.ports, ...ports].map((port) => ({ ...port })),
    counts: { connected: gateway.presence.list(tenant).length, sessions: gateway.sessions.size },
    ...(gateway.cluster === undefined ? {} : { cluster: gateway.cluster.describe() }),
    warnings: alarms.list().map((alarm) => ({ ...alarm })),
  });
}

function rootFacts({ root }: RootInForce): Status['releaseRoot'] {
  return { threshold: root.threshold, keys: root.keys.length };
}
