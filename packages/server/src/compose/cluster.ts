import { hostname } from 'node:os';
import type { Status } from '@holdfast/api';
import { hkdf } from '@holdfast/crypto';
import { encodeHex, encodeUtf8, formatRfc3339, HoldfastError, type Log, toHoldfastError } from '@holdfast/kernel';
import { ClusterPeers } from '../cluster/peers.ts';
import { FleetPresence } from '../cluster/fleet-presence.ts';
import { Membership } from '../cluster/membership.ts';
import { NodeIds } from '../cluster/node-ids.ts';
import { SealedFrames } from '../cluster/sealed-frames.ts';
import { type Bus, resolveNats } from '../engines/bus/index.ts';
import { SqlNodeRecords } from '../persistence/repositories/cluster-nodes.ts';
import { SqlSharedSessions } from '../persistence/repositories/communication-cluster.ts';
import type { MessageKeys } from '../persistence/repositories/communication-keys.ts';
import { deviceOfSessionKey, type PresenceBoard } from '../protocols/gateway/index.ts';
import { eventLoopTurn, type MqttBroker, type MqttObserver } from '../protocols/mqtt/index.ts';
import type { Foundation } from './foundation.ts';
import type { Rooms } from './rooms.ts';

export interface Cluster {
  readonly nodeId: string;
  readonly peers: ClusterPeers;
  readonly membership: Membership;
  /** Tells the other nodes of take-overs at this one. */
  readonly observer: MqttObserver;
  /** Where take-overs of sessions of other nodes are reported. */
  takeoversGoTo(observer: MqttObserver): void;
  /** For operators. */
  describe(): NonNullable<Status['cluster']>;
  /** Serves with the core that has loaded what is shared. */
  start(broker: MqttBroker): Promise<void>;
}

const LIFE_BYTES = 16;
const SWEEP_MS = 2_000;
const MESSAGE_SWEEP_EVERY = 15;
/** A message is kept this long though nothing refers to it: what does may be on its way. */
const MESSAGE_GRACE_MS = 120_000;

export interface ClusterParts {
  readonly rooms: Rooms;
  readonly keys: MessageKeys;
  /** Of this node. */
  readonly presence: PresenceBoard;
  /** Of all nodes. */
  readonly fleet: PresenceBoard;
}

/** This server among others on the same store; undefined when no bus is configured. */
export async function openCluster(foundation: Foundation, parts: ClusterParts): Promise<Cluster | undefined> {
  const { clock, closers, config, database, log, random, tenant, ticketSecret } = foundation;
  if (config.bus === undefined) return undefined;
  if (config.store === undefined)
    throw new HoldfastError('server.bad_config', { field: 'bus', reason: 'needs a store' });
  const { reader, store } = database;
  const life = random.bytes(LIFE_BYTES);
  const nodeId = encodeHex(life);
  const name = `${hostname()}:${config.portMqtt}`;
  const bus = await openBus(foundation, name);
  const ids = new NodeIds(clock, 0);
  const sessions = new SqlSharedSessions({ reader, store, keys: parts.keys, log });
  const fleet = new FleetPresence(parts.fleet);
  let takeovers: MqttObserver = {};
  const peers = new ClusterPeers({
    nodeId,
    name,
    prefix: `holdfast.${encodeHex(secretOf(ticketSecret, 'name').subarray(0, 8))}`,
    bus,
    frames: new SealedFrames(secretOf(ticketSecret, 'frames'), life),
    ids,
    sessions,
    clock,
    turn: eventLoopTurn,
    log,
    fleet,
    onTakenOver: ({ connectedAt, connectionId, remoteAddress: address }, next) => {
      takeovers.takenOver?.({ ...next, connectedAt, connectionId, address }, next);
    },
    onTakeover: (takeover) => parts.rooms.cloneTrap.note(takeover),
  });
  const membership = new Membership({
    records: new SqlNodeRecords({ reader, store, tenant }),
    clock,
    log,
    nodeId,
    name,
    onDead: (dead) => {
      log.warn('a node ended without a word', { node: dead });
      return sessions.orphan(dead, ids.next(), clock.now());
    },
    onRevived: (slot) => {
      log.warn('this node stood still and was taken for dead: what it held of sessions is asked anew', {});
      ids.moveTo(slot);
      void peers.catchUp();
    },
  });
  await membership.start();
  foundation.leadership.follow(membership);
  ids.moveTo(membership.slot);
  closers.add('membership', () => membership.close());
  closers.add('peers', () => peers.close());
  let rounds = 0;
  const sweeping = clock.every(SWEEP_MS, () => {
    if (membership.leads) void sweep({ sessions, peers, log, ids, now: clock.now() }, ++rounds);
  });
  closers.add('session sweep', () => sweeping.cancel());
  parts.presence.onChange(({ kind, presence }) => fleet.changed(kind === 'connected', presence));
  return {
    nodeId,
    peers,
    membership,
    observer: {
      takenOver: (previous, next) => {
        const deviceId = deviceOfSessionKey(next.sessionKey);
        const place = ({ address, connectedAt, connectionId }: typeof next) => {
          return { connectionId, remoteAddress: address, connectedAt };
        };
        if (deviceId === undefined) return;
        const takeover = { tenant: next.realm, deviceId, previous: place(previous), next: place(next) };
        peers.tell({ t: 'takeover', takeover });
      },
    },
    takeoversGoTo(observer) {
      takeovers = observer;
    },
    describe: () => ({
      busUp: bus.state.up,
      nodes: membership.nodes().map((node) => ({
        name: node.name,
        startedAt: formatRfc3339(node.startedAt),
        self: node.nodeId === nodeId,
        leads: node.nodeId === membership.leader,
      })),
    }),
    async start(broker) {
      await peers.start(broker.peerSide);
      fleet.start((note) => peers.tell(note));
    },
  };
}

/** Begins every connection's identity, which must be another one on every node. */
export function connectionPrefix(cluster: Cluster | undefined): string {
  return cluster === undefined ? '' : `${cluster.nodeId.slice(0, 8)}-`;
}

async function openBus({ alarms, clock, closers, config, log }: Foundation, name: string): Promise<Bus> {
  const address = resolveNats({
    bus: config.bus ?? '',
    credentials: config.busCredentials,
    ca: config.busCa,
    plaintext: config.busPlaintext,
    environment: process.env,
  });
  const { NatsBus } = await import('../engines/bus/nats-bus.ts');
  const bus = await NatsBus.open({ address, name, clock, log });
  closers.add('bus', () => bus.close());
  const show = (up: boolean) => {
    if (up) alarms.clear('server.bus');
    else alarms.raise('server.bus', 'the bus does not answer: nodes hear of each other by the database alone, later');
  };
  show(bus.state.up);
  bus.onChange(show);
  return bus;
}

interface Sweep {
  readonly sessions: SqlSharedSessions;
  readonly peers: ClusterPeers;
  readonly ids: NodeIds;
  readonly log: Log;
  readonly now: number;
}

/** What one node does for all: ends sessions that are over, removes messages nobody waits for. */
async function sweep({ ids, log, now, peers, sessions }: Sweep, round: number): Promise<void> {
  try {
    for (const key of await sessions.endExpired(now)) peers.expired(key);
    if (round % MESSAGE_SWEEP_EVERY === 0) await sessions.sweepMessages(ids.before(MESSAGE_GRACE_MS));
  } catch (error) {
    log.warn('sessions that are over could not be ended', { code: toHoldfastError(error).code });
  }
}

/** The same on every node that has the root key. */
function secretOf(ticketSecret: Uint8Array, purpose: string): Uint8Array {
  const info = encodeUtf8(`holdfast/bus-${purpose}`);
  return hkdf('sha256', { key: ticketSecret, salt: new Uint8Array(0), info, length: 32 });
}
