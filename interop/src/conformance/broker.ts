// Serves the MQTT core alone on plain loopback TCP, for third-party suites:
//
//   npm run conformance:broker -- --port N [--profile mqtt|aws]
//
// Every client id and topic is allowed; SUBSCRIBE to test/nosubscribe is refused; keep-alive is at most 60 s.
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { createLog, systemClock, systemRandom } from '@holdfast/kernel';
import {
  type Authenticator,
  eventLoopTurn,
  MemoryStore,
  MqttBroker,
  type MqttPrincipal,
  type MqttProfile,
  PROFILES,
  SocketTransport,
} from '../../../packages/server/src/protocols/mqtt/index.ts';

const REALM = 'conformance';
const NOT_SUBSCRIBABLE = 'test/nosubscribe';
const MAX_KEEP_ALIVE = 60;

const authenticator: Authenticator = {
  admit: ({ clientId }) => Promise.resolve({ kind: 'admitted', principal: anyone(clientId) }),
};

function anyone(clientId: string): MqttPrincipal {
  return {
    sessionKey: clientId,
    realm: REALM,
    persistentAllowed: true,
    mayConnect: () => true,
    mayPublish: () => true,
    maySubscribe: (filter) => filter !== NOT_SUBSCRIBABLE,
    mayReceive: () => true,
    onViolation: () => undefined,
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: 'string' }, profile: { type: 'string', default: 'mqtt' } } });
  const port = Number(values.port ?? '1883');
  const base = values.profile === 'aws' ? PROFILES.aws : PROFILES.mqtt;
  // The public suites expect the unspecific refusal, which both versions have.
  const profile: MqttProfile = { ...base, maxKeepAlive: MAX_KEEP_ALIVE, minKeepAlive: 0, subscribeDenied: 0x80 };
  const broker = new MqttBroker({
    clock: systemClock,
    random: systemRandom,
    log: createLog(({ level, message, fields }) => console.error(level, message, fields)),
    turn: eventLoopTurn,
    store: new MemoryStore(),
    authenticator,
    profile,
    limits: { maxSessionExpirySeconds: 0xffff_ffff },
  });
  await broker.start();
  const server = createServer((socket) => {
    const peer = { address: `${socket.remoteAddress}:${socket.remotePort}`, identity: undefined };
    broker.accept(new SocketTransport(socket, { peer, clock: systemClock, lingerMs: broker.limits.lingerMs }));
  });
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    const bound = typeof address === 'object' && address !== null ? address.port : port;
    console.log(`ready: MQTT on 127.0.0.1:${bound}, profile ${profile.name}`);
  });
  const stop = (): void => {
    server.close();
    void broker.close();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

await main();
