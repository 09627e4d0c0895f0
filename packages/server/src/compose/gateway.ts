import { DEFAULT_ARN_SCOPE } from '@holdfast/trust/communication';
import { createSigner, type KeyPackageSigner } from '@holdfast/crypto';
import type { EnrollmentDoor, ServerCredential, ServerKeyDoor } from '@holdfast/trust/identity';
import type { EventName } from '@holdfast/trust/ports';
import type { Sinks } from '../engines/sinks/index.ts';
import { encodePem } from '@holdfast/wire/pem';
import {
  AwsIotTopics,
  JobNotifier,
  LifecycleEvents,
  publishRegistered,
  ShadowNotices,
  type TopicPublisher,
} from '../protocols/aws-iot/index.ts';
import { estRoutes } from '../protocols/est/index.ts';
import {
  AuditTrail,
  auditHandshakes,
  EventReactions,
  GatewayPrincipal,
  fairEnrollment,
  gatewayObserver,
  MqttAuthenticator,
  MqttDoor,
  MqttEntrance,
  PeerAdmission,
  PresenceBoard,
  purgeMqtt,
  SessionTable,
  type ServerMaterial,
  WebSocketDoor,
} from '../protocols/gateway/index.ts';
import { tpmRoutes } from '../protocols/tpm/index.ts';
import { artifactRoutes } from '../protocols/https/artifact-routes.ts';
import { DeviceHttp } from '../protocols/https/device-http.ts';
import { DeviceListener } from '../protocols/https/device-listener.ts';
import { MuxListener } from '../protocols/https/mux-listener.ts';
import { EnrollmentListener, PublicListener } from '../protocols/https/open-listener.ts';
import { publicRoutes } from '../protocols/https/public-routes.ts';
import { WEB_SOCKET_ROUTE } from '../protocols/https/web-socket-route.ts';
import { eventLoopTurn, joinObservers, MqttBroker, PROFILES } from '../protocols/mqtt/index.ts';
import { ocspRoutes, plainTarget } from '../protocols/ocsp/index.ts';
import { SealedMessageKeys } from '../persistence/repositories/communication-keys.ts';
import { SqlDurableStore } from '../persistence/repositories/communication-mqtt.ts';
import { type Cluster, connectionPrefix, openCluster } from './cluster.ts';
import { openDataRoutes } from './data-routes.ts';
import { DeviceTrust } from './device-trust.ts';
import type { Foundation } from './foundation.ts';
import type { Rooms } from './rooms.ts';
import { openSinks } from './sinks.ts';

export interface ListeningPort {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface Gateway {
  /** Of all nodes. */
  readonly presence: PresenceBoard;
  /** Undefined when this server is alone. */
  readonly cluster: Cluster | undefined;
  readonly sessions: SessionTable;
  readonly broker: MqttBroker;
  /** Undefined when none is configured. */
  readonly sinks: Sinks | undefined;
  /** Where refusals are written down. */
  readonly trail: AuditTrail;
  /** In the order of the banner. */
  readonly ports: readonly ListeningPort[];
  /** Shows a renewed certificate to connections from now on. */
  replaceCertificate(credential: ServerCredential): void;
}

export function materialOf(credential: ServerCredential): ServerMaterial {
  const chain = [credential.certificateDer, ...credential.chainDer];
  return {
    keyPem: credential.privateKey.exportPem(),
    chainPem: chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
  };
}

/** Everything devices connect to. */
export async function openGateway(
  foundation: Foundation,
  rooms: Rooms,
  credential: ServerCredential,
): Promise<Gateway> {
  const { clock, log, closers, tenant, database } = foundation;
  const presence = new PresenceBoard();
  const sessions = new SessionTable(clock);
  closers.add('sessions', () => sessions.close());
  const trail = new AuditTrail({ store: database.store, audit: database.audit, clock, log });
  closers.add('refusal log', () => trail.settled());
  const admission = new PeerAdmission({ identifier: rooms.peers, sessions, trail, clock, newcomers: rooms.jit });
  const sinks = await openSinks(foundation);
  const enrollment = fairEnrollment(rooms.enrollment);
  const keys = messageKeys(foundation);
  const fleet = foundation.config.bus === undefined ? presence : new PresenceBoard();
  const cluster = await openCluster(foundation, { rooms, keys, presence, fleet });
  const broker = await openBroker(foundation, rooms, {
    enrollment,
    presence,
    sessions,
    trail,
    admission,
    sinks,
    keys,
    cluster,
  });

  const reactions = new EventReactions({
    events: database.events,
    sessions,
    clock,
    log,
    onCut: (cut) => purgeMqtt(broker, cut),
  });
  reactions.start();
  closers.add('event reactions', () => reactions.close());
  subscribeRooms(foundation, rooms, { broker, presence });

  const trust = await DeviceTrust.open(rooms);
  let shown = credential;
  const listeners = await openListeners(foundation, rooms, {
    enrollment,
    presence,
    sessions,
    admission,
    broker,
    trail,
    credential,
    trust,
    cluster,
    keySigner: () => ({
      certificates: [shown.certificateDer, ...shown.chainDer],
      signer: createSigner(shown.privateKey),
    }),
  });
  const replaceAll = () => {
    for (const { door, asksForCertificate } of listeners.doors) {
      door.replace(materialOf(shown), asksForCertificate ? trust.clientCas : undefined);
    }
  };
  const changes = database.events.subscribe('device-trust', async ({ name }) => {
    if (name !== 'manufacturer.changed') return;
    await trust.refresh();
    replaceAll();
  });
  closers.add('device trust', () => changes.close());
  return {
    presence: fleet,
    cluster,
    sessions,
    broker,
    sinks,
    trail,
    ports: listeners.ports,
    replaceCertificate(renewed) {
      shown = renewed;
      replaceAll();
      log.info('the server certificate was renewed', { tenant });
    },
  };
}

interface GatewayParts {
  /** In turn, over all doors. */
  readonly enrollment: EnrollmentDoor & ServerKeyDoor;
  readonly presence: PresenceBoard;
  readonly sessions: SessionTable;
  readonly trail: AuditTrail;
  readonly admission: PeerAdmission;
}

function messageKeys({ clock, database: { store }, fields, random, sealedRecords }: Foundation): SealedMessageKeys {
  return new SealedMessageKeys({ fields, sealedRecords, store, clock, random });
}

async function openBroker(
  foundation: Foundation,
  rooms: Rooms,
  parts: GatewayParts & {
    readonly sinks: Sinks | undefined;
    readonly keys: SealedMessageKeys;
    readonly cluster: Cluster | undefined;
  },
): Promise<MqttBroker> {
  const { clock, random, log, closers, database } = foundation;
  const { reader, store } = database;
  const { admission, cluster, keys, sessions, trail } = parts;
  const authenticator = new MqttAuthenticator({
    admission,
    authority: rooms.policyAuthority,
    sessions,
    trail,
    ratchet: rooms.ratchet,
    clock,
    log,
  });
  const publisher: Pick<TopicPublisher, 'publish'> = {
    publish: (realm, topic, payload) => broker.publish({ realm, topic, payload, qos: 1 }),
  };
  const lifecycle = new LifecycleEvents({
    clock,
    random,
    log,
    publisher,
    peerOf: ({ principal }) =>
      principal instanceof GatewayPrincipal && principal.peer.kind === 'device' ? principal.peer.principal : undefined,
  });
  const reserved = new AwsIotTopics({
    clock,
    enrollment: parts.enrollment,
    attestation: rooms.attestation,
    ratchet: rooms.ratchet,
    mustRenew: (device) => rooms.campaigns.reaches(device),
    jobs: rooms.jobs,
    streams: rooms.streams,
    shadows: rooms.shadows,
    publisher,
    peerOf: ({ principal }) =>
      principal instanceof GatewayPrincipal
        ? { principal: principal.peer.principal, remoteAddress: principal.remoteAddress }
        : undefined,
    renewRights: async ({ principal }) => {
      if (principal instanceof GatewayPrincipal) await principal.renewRights();
    },
    onHealth: (device, report) =>
      log.debug('health report', { deviceId: device.deviceId, firmware: report.firmwareVersion }),
  });
  const observer = joinObservers(
    gatewayObserver({ ...parts, takeovers: rooms.cloneTrap, log }),
    lifecycle,
    cluster?.observer ?? {},
  );
  const broker: MqttBroker = new MqttBroker({
    clock,
    random,
    log,
    turn: eventLoopTurn,
    store: cluster?.peers ?? new SqlDurableStore({ reader, store, keys, log }),
    peers: cluster?.peers,
    idPrefix: connectionPrefix(cluster),
    authenticator,
    profile: PROFILES[foundation.config.mqttProfile],
    reserved,
    tap: parts.sinks,
    observer,
  });
  cluster?.takeoversGoTo(observer);
  await broker.start();
  await cluster?.start(broker);
  closers.add('mqtt', () => broker.close());
  return broker;
}

/** After which a revocation list says something else. */
const LISTED: ReadonlySet<EventName> = new Set([
  'certificate.revoked',
  'certificate.superseded',
  'device.suspended',
  'device.quarantined',
  'device.readmitted',
]);

/** Facts of one room that others act on. */
function subscribeRooms(
  foundation: Foundation,
  rooms: Rooms,
  { broker, presence }: { readonly broker: MqttBroker; readonly presence: PresenceBoard },
): void {
  const { clock, log, database } = foundation;
  const publisher: TopicPublisher = {
    isConnected: (owner, deviceId) => presence.of(owner, deviceId).some(({ protocol }) => protocol === 'mqtt'),
    publish: (realm, topic, payload) => broker.publish({ realm, topic, payload, qos: 1 }),
  };
  const notifier = new JobNotifier({ clock, log, jobs: rooms.jobs, publisher });
  const notices = new ShadowNotices({ publisher, log });
  rooms.shadows.onChange((change) => notices.onChange(change));
  database.events.subscribe('update', (event) => rooms.updateReactions.onEvent(event));
  const { certificates } = rooms.repositories;
  const registration = { certificates, publisher, account: DEFAULT_ARN_SCOPE.account };
  database.events.subscribe('registration-events', async (event) => {
    if (foundation.leadership.leads()) await publishRegistered(registration, event);
  });
  database.events.subscribe('job-notifier', (event) => notifier.onEvent(event));
  database.events.subscribe('posture', async ({ name, tenant, subject, at }) => {
    if (name === 'product.changed') await rooms.postures.productChanged(tenant, subject);
    if (name === 'device.readmitted') await rooms.postures.readmitted(tenant, subject, at);
  });
  database.events.subscribe('revocation-list', ({ name }) => {
    if (LISTED.has(name)) rooms.revocationList.revoked();
  });
}

interface ListenerParts extends GatewayParts {
  readonly broker: MqttBroker;
  /** The server's certificate in force and its key. */
  readonly keySigner: () => Omit<KeyPackageSigner, 'signingTime'>;
  readonly credential: ServerCredential;
  readonly trust: DeviceTrust;
  readonly cluster: Cluster | undefined;
}

async function openListeners(foundation: Foundation, rooms: Rooms, parts: ListenerParts) {
  const { clock, log, closers, config, database, tenant, ticketSecret } = foundation;
  const { authority, policyAuthority, access } = rooms;
  const { enrollment } = parts;
  let connections = 0;
  const shared = {
    host: config.listen,
    material: materialOf(parts.credential),
    clientCas: parts.trust.clientCas,
    ticketSecret,
    ticketEpoch: await rooms.repositories.epochs.find(tenant),
    tls: { minimum: config.tlsMinimum === '1.3' ? 'TLSv1.3' : 'TLSv1.2', ccm8: config.tlsCcm8 } as const,
    clock,
    log,
  };
  const prefix = connectionPrefix(parts.cluster);
  const nextConnectionId = () => `${prefix}${++connections}`;
  const est = estRoutes({
    enrollment,
    chainDer: () => authority.caCertsDer,
    tenant,
    passwords: rooms.passwords,
    products: rooms.repositories.products,
    random: foundation.random,
    keySigner: () => ({ ...parts.keySigner(), signingTime: clock.now() }),
    base64: 'by-client',
  });
  const routes = [...est, ...artifactRoutes({ access }), ...openDataRoutes(foundation, rooms, parts), WEB_SOCKET_ROUTE];
  const entrance = new MqttEntrance({ ...parts, nextConnectionId, clock });
  const http = new DeviceHttp({
    ...parts,
    authority: policyAuthority,
    ratchet: rooms.ratchet,
    routes,
    webSockets: new WebSocketDoor(entrance),
    nextConnectionId,
    clock,
    log,
  });
  closers.add('device HTTP', () => http.close());
  const mqtt = new MqttDoor({
    ...shared,
    entrance,
    port: config.portMqtt,
    onRefused: auditHandshakes(parts.trail, 'mqtt'),
  });
  const https = new DeviceListener({
    ...shared,
    http,
    port: config.portHttps,
    onRefused: auditHandshakes(parts.trail, 'https'),
  });
  const mux =
    config.portMux === undefined
      ? undefined
      : new MuxListener({
          ...shared,
          entrance: new MqttEntrance({
            ...parts,
            nextConnectionId,
            clock,
            profile: PROFILES[config.muxProfile ?? config.mqttProfile],
          }),
          http,
          port: config.portMux,
          onRefused: auditHandshakes(parts.trail, 'mux'),
        });
  const open = new PublicListener({
    ...shared,
    routes: [...publicRoutes({ ...rooms.repositories, clock }), ...ocspRoutes({ responder: rooms.ocsp, clock })],
    plainTarget,
    port: config.portPublic,
  });
  const enroll = config.enrollListen
    ? new EnrollmentListener({
        ...shared,
        routes: [
          ...est.filter(({ audience }) => audience.includes('anyone')),
          ...tpmRoutes({ tpmEnrollment: rooms.tpmEnrollment, tenant }),
        ],
        port: config.portEnroll,
      })
    : undefined;

  const ports: ListeningPort[] = [];
  const doors = [mqtt.door, https.door].map((door) => ({ door, asksForCertificate: true }));
  const listen = async (name: string, listener: { listen(): Promise<number>; close(): Promise<void> }) => {
    ports.push({ name, address: config.listen, port: await listener.listen() });
    closers.add(`${name} listener`, () => listener.close());
  };
  await listen('mqtt', mqtt);
  await listen('https', https);
  if (mux !== undefined) {
    await listen('mux', mux);
    doors.push({ door: mux.door, asksForCertificate: true });
  }
  if (enroll !== undefined) {
    await listen('enrollment', enroll);
    doors.push({ door: enroll.door, asksForCertificate: false });
  }
  await listen('public', open);
  const epochs = database.events.subscribe('ticket-epoch', ({ name, data }) => {
    if (name !== 'tickets.voided' || typeof data['epoch'] !== 'number') return;
    for (const { door } of doors) door.raiseTicketEpoch(data['epoch']);
  });
  closers.add('ticket epoch', () => epochs.close());
  return { ports, doors };
}
