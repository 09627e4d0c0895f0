// Sends mutated packets through the core in this process and says what stays in memory:
//
//   node --expose-gc --max-old-space-size=64 --max-semi-space-size=2 soak.ts COUNT
//
// Two figures, because resident memory alone says little: V8 lets garbage lie as long as its heap may grow, so an
// uncapped process grows by hundreds of MiB without a leak. `liveBytes` is what is still reachable after every session
// and retained message was purged; `residentBytes` is the growth of the process, which means something under a cap.
import {
  encodeAck,
  encodeConnect,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  encodeUnsubscribe,
  type MqttVersion,
  PINGREQ,
} from '@holdfast/wire/mqtt';
import { hex, X } from './speech.ts';
import { Bench, connectPacket } from './test-core.ts';

const COUNT = Number(process.argv[2] ?? '100000');
/** Before the first figure: compiled code and caches are not what is looked for. */
const WARM_UP = COUNT / 10;

let state = 1;
/** A number below `limit`; the same every time (a linear congruential generator, Numerical Recipes). */
function roll(limit: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

function seeds(version: MqttVersion): Uint8Array[] {
  const properties = version === 5 ? ({ userProperties: [['a', 'b']], topicAlias: 1 } as const) : {};
  return [
    encodePublish({ topic: 'a/b', payload: X, properties }, version),
    encodePublish({ topic: 'a/b', payload: X, qos: 1, packetId: 1, retain: true }, version),
    encodePublish({ topic: 'a/b', payload: X, qos: 2, packetId: 2 }, version),
    encodeAck({ kind: 'puback', packetId: 1 }, version),
    encodeAck({ kind: 'pubrec', packetId: 1 }, version),
    encodeAck({ kind: 'pubrel', packetId: 2 }, version),
    encodeAck({ kind: 'pubcomp', packetId: 1 }, version),
    encodeSubscribe({ packetId: 3, subscriptions: [{ text: 'a/#', qos: 2 }] }, version),
    encodeSubscribe({ packetId: 3, subscriptions: [{ text: '$share/g/+/b', qos: 1 }] }, version),
    encodeUnsubscribe({ packetId: 4, filters: ['a/#'] }, version),
    encodeReasonPacket({ kind: 'disconnect', reason: 4 }, version),
    PINGREQ,
    encodeConnect(connectPacket('x', { version })),
    version === 5 ? hex('F0 00') : hex('20 02 00 00'),
  ];
}

const SEEDS = { 4: seeds(4), 5: seeds(5) } as const;

function mutated(version: MqttVersion): Uint8Array {
  const bytes = (SEEDS[version][roll(SEEDS[version].length)] ?? X).slice();
  if (roll(3) > 0) bytes[roll(bytes.length)] = roll(256);
  return roll(8) === 0 ? bytes.subarray(0, roll(bytes.length)) : bytes;
}

/** One connection from its first byte to its end. @returns how many packets it sent. */
async function visit(bench: Bench): Promise<number> {
  const version = roll(2) === 0 ? 4 : 5;
  const client = bench.open(version);
  if (roll(4) > 0) {
    const properties = version === 5 && roll(2) === 0 ? { sessionExpiryInterval: 1_000 } : {};
    client.pipe.send(encodeConnect(connectPacket(`soak${roll(1_000)}`, { version, clean: roll(2) === 0, properties })));
    await bench.settle();
  }
  let sent = 0;
  for (const wanted = 1 + roll(20); sent < wanted && !client.closed; sent++) {
    client.pipe.send(mutated(version));
    if (roll(4) === 0) await bench.settle();
  }
  await bench.settle();
  client.pipe.take();
  client.pipe.drop();
  return sent;
}

async function purge(bench: Bench): Promise<NodeJS.MemoryUsage> {
  bench.broker.cut(() => true, { purgeSession: true, purgeRetained: true });
  await bench.settle();
  bench.principals.clear();
  globalThis.gc?.();
  return process.memoryUsage();
}

const bench = await Bench.started();
let packets = 0;
let connections = 0;
while (packets < WARM_UP) packets += await visit(bench);
const before = await purge(bench);
for (packets = 0; packets < COUNT; connections++) packets += await visit(bench);
const after = await purge(bench);
const { connections: open, sessions, retainedMessages } = bench.broker.gauges();
process.stdout.write(
  `${JSON.stringify({
    packets,
    connections,
    refused: bench.broker.metrics.protocolErrors,
    left: open + sessions + retainedMessages,
    liveBytes: after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers,
    residentBytes: after.rss - before.rss,
  })}\n`,
);
