import { decodeUtf8, ManualClock, seededRandom, silentLog } from '@holdfast/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionInfo, EndCause } from '../mqtt/ports.ts';
import { LifecycleEvents } from './index.ts';

let clock: ManualClock;
let events: LifecycleEvents;
let told: { readonly topic: string; readonly body: Record<string, unknown> }[];

const FINGERPRINT = 'ab'.repeat(32);

const connection = (connectionId: string, clientId = 'lamp'): ConnectionInfo => ({
  connectionId,
  sessionKey: `default/device/${clientId}/${clientId}`,
  realm: 'default',
  clientId,
  address: '192.0.2.7:50123',
  version: 5,
  connectedAt: 0,
  keepAliveSeconds: 60,
  principal: {} as ConnectionInfo['principal'],
});

beforeEach(() => {
  clock = new ManualClock(1_700_000_000_123);
  told = [];
  events = new LifecycleEvents({
    clock,
    random: seededRandom(3),
    log: silentLog,
    publisher: {
      publish: (_tenant, topic, payload) => {
        told.push({ topic, body: JSON.parse(decodeUtf8(payload)) as Record<string, unknown> });
        return Promise.resolve();
      },
    },
    peerOf: ({ clientId }) => (clientId === 'claim' ? undefined : { tenant: 'default', fingerprint: FINGERPRINT }),
  });
});

describe('lifecycle events', () => {
  it('tell connect, subscribe, unsubscribe and disconnect as AWS words them', () => {
    const lamp = connection('c1');
    events.connected(lamp);
    events.subscribed(lamp, ['a/+', 'b']);
    events.unsubscribed(lamp, ['b']);
    events.disconnected(lamp, 'client-disconnect');
    const sessionIdentifier = told[0]?.body['sessionIdentifier'];
    expect(sessionIdentifier).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const common = {
      clientId: 'lamp',
      timestamp: 1_700_000_000_123,
      sessionIdentifier,
      principalIdentifier: FINGERPRINT,
    };
    expect(told).toEqual([
      {
        topic: '$aws/events/presence/connected/lamp',
        body: { ...common, eventType: 'connected', ipAddress: '192.0.2.7', versionNumber: 0 },
      },
      {
        topic: '$aws/events/subscriptions/subscribed/lamp',
        body: { ...common, eventType: 'subscribed', topics: ['a/+', 'b'] },
      },
      {
        topic: '$aws/events/subscriptions/unsubscribed/lamp',
        body: { ...common, eventType: 'unsubscribed', topics: ['b'] },
      },
      {
        topic: '$aws/events/presence/disconnected/lamp',
        body: {
          ...common,
          eventType: 'disconnected',
          clientInitiatedDisconnect: true,
          disconnectReason: 'CLIENT_INITIATED_DISCONNECT',
          versionNumber: 0,
        },
      },
    ]);
  });

  it.each<[EndCause, string]>([
    ['connection-lost', 'CONNECTION_LOST'],
    ['keep-alive-timeout', 'MQTT_KEEP_ALIVE_TIMEOUT'],
    ['protocol-error', 'CLIENT_ERROR'],
    ['taken-over', 'DUPLICATE_CLIENTID'],
    ['forbidden', 'FORBIDDEN_ACCESS'],
    ['slow-consumer', 'THROTTLED'],
    ['cut', 'SERVER_INITIATED_DISCONNECT'],
    ['server-error', 'SERVER_ERROR'],
    ['server-shutdown', 'SERVER_INITIATED_DISCONNECT'],
  ])('word %s as %s', (cause, disconnectReason) => {
    events.connected(connection('c1'));
    events.disconnected(connection('c1'), cause);
    expect(told.at(-1)?.body).toMatchObject({ disconnectReason, clientInitiatedDisconnect: false });
  });

  it('count connections, each with its own end, and start again after an hour away', () => {
    const versions = () => told.map(({ body }) => [body['eventType'], body['versionNumber']]);
    events.connected(connection('c1'));
    events.connected(connection('c2'));
    events.disconnected(connection('c1'), 'taken-over');
    expect(versions()).toEqual([
      ['connected', 0],
      ['connected', 1],
      ['disconnected', 0],
    ]);
    clock.advance(7_200_000);
    events.connected(connection('c3'));
    expect(versions().at(-1)).toEqual(['connected', 2]);
    events.disconnected(connection('c2'), 'cut');
    events.disconnected(connection('c3'), 'cut');
    clock.advance(3_600_001);
    events.connected(connection('c4'));
    expect(versions().at(-1)).toEqual(['connected', 0]);
  });

  it('say nothing of claims, of names no topic level can hold, and of the same end twice', () => {
    for (const clientId of ['claim', 'a+b', 'a#', 'a/b']) {
      events.connected(connection('c1', clientId));
      events.subscribed(connection('c1', clientId), ['x']);
      events.disconnected(connection('c1', clientId), 'cut');
    }
    expect(told).toEqual([]);
    events.connected(connection('c2'));
    events.disconnected(connection('c2'), 'cut');
    events.disconnected(connection('c2'), 'cut');
    expect(told).toHaveLength(2);
  });
});
