import { concatBytes, decodeHex, encodeUtf8 } from '@holdfast/kernel';
import { encodeConnect, encodePublish, encodeSubscribe, PINGREQ } from '@holdfast/wire/mqtt';
import { PipeTransport } from '../../../packages/server/src/protocols/mqtt/testing/pipe.ts';
import { Bench, connectPacket } from '../../../packages/server/src/protocols/mqtt/testing/test-core.ts';
import { loadSequences } from '../../../packages/server/src/protocols/mqtt/testing/vectors.ts';
import { Dice, type Soak, type SoakReport } from './soak.ts';

type Mutation = (bytes: Uint8Array, dice: Dice) => Uint8Array;

const at = (bytes: Uint8Array, dice: Dice): number => dice.below(Math.max(bytes.length, 1));

/** Small harm, as a bad link or a hostile hand does it. */
const MUTATIONS: readonly [Mutation, ...Mutation[]] = [
  (bytes, dice) => bytes.map((byte, index) => (index === at(bytes, dice) ? byte ^ (1 << dice.below(8)) : byte)),
  (bytes, dice) => bytes.with(at(bytes, dice), dice.below(256)),
  (bytes, dice) => bytes.subarray(0, at(bytes, dice)),
  (bytes, dice) => concatBytes(bytes, bytes.subarray(at(bytes, dice))),
  (bytes, dice) => {
    const place = at(bytes, dice);
    return concatBytes(bytes.subarray(0, place), Uint8Array.of(dice.below(256)), bytes.subarray(place));
  },
  (bytes, dice) => {
    const place = at(bytes, dice);
    return concatBytes(bytes.subarray(0, place), bytes.subarray(place + 1));
  },
  (bytes, dice) => bytes.with(Math.min(1 + dice.below(4), bytes.length - 1), dice.pick([0, 0x7f, 0x80, 0xff])),
];

function harm(bytes: Uint8Array, dice: Dice): Uint8Array {
  let harmed = bytes;
  for (let times = 1 + dice.below(3); times > 0; times--)
    if (harmed.length > 0) harmed = dice.pick(MUTATIONS)(harmed, dice);
  return harmed;
}

/** What stock clients send, from the published sequences, and connects of our own. */
function seeds(): readonly [Uint8Array, ...Uint8Array[]] {
  const sent = loadSequences().flatMap(({ msgs }) =>
    msgs.filter(({ type }) => type === 'send').map(({ payload }) => decodeHex(payload.replaceAll(' ', ''))),
  );
  const connects = [4, 5].map((version) => encodeConnect(connectPacket('seed', { version: version === 4 ? 4 : 5 })));
  const publish = encodePublish({ topic: 'private/own', payload: encodeUtf8('hello'), qos: 0 }, 5);
  return [publish, ...connects, ...sent.filter(({ length }) => length > 0)];
}

const PROBE_EVERY = 5000;
const KEPT_OPEN = 50;
/** A harmed length makes a connection wait for the rest: what is sent then is never read as packets. */
const PACKETS_EACH = 12;

async function mutate(packets: number, seed: number, say: (line: string) => void): Promise<SoakReport> {
  const faults: string[] = [];
  process.on('unhandledRejection', (error) => faults.push(`unhandled rejection: ${String(error)}`));
  const dice = new Dice(seed);
  const from = seeds();
  const bench = await Bench.started();
  // The victim alone may see private/own; whoever else gets a byte of it got another's message.
  const victim = await bench.client('victim');
  await victim.say(encodeSubscribe({ packetId: 1, subscriptions: [{ text: 'private/#', qos: 0 }] }, 5));
  const admit = bench.admit;
  bench.admit = async (request) => {
    const verdict = await admit(request);
    const principal = bench.principal(request.clientId);
    if (request.clientId !== 'victim' && request.clientId !== 'speaker') {
      principal.receives = (topic) => !topic.startsWith('private');
      principal.publishes = (topic) => !topic.startsWith('private');
    }
    return verdict;
  };
  const speaker = await bench.client('speaker');
  const marker = encodeUtf8('only-for-the-victim');
  const open: PipeTransport[] = [];
  let ended = 0;
  let delivered = 0;
  for (let packet = 0; packet < packets; packet++) {
    const pipe = open[dice.below(KEPT_OPEN)] ?? new PipeTransport();
    if (!open.includes(pipe)) {
      open.push(pipe);
      bench.broker.accept(pipe);
      // Half of them are admitted first, so that what follows reaches deeper.
      if (dice.below(2) === 0) {
        const clientId = `c${packet}`;
        pipe.send(encodeConnect(connectPacket(clientId, { version: dice.pick([4, 5]) })));
        await bench.settle();
      }
    }
    try {
      pipe.send(harm(dice.pick(from), dice));
    } catch (error) {
      faults.push(`packet ${packet} made the core throw: ${String(error)}`);
    }
    if (packet % 8 === 0) await bench.settle();
    if (!pipe.ended && dice.below(PACKETS_EACH) === 0) pipe.drop();
    if (pipe.ended) {
      ended++;
      open.splice(open.indexOf(pipe), 1);
    }
    if (packet % PROBE_EVERY !== 0) continue;
    await speaker.say(encodePublish({ topic: 'private/own', payload: marker, qos: 0 }, 5));
    const heard = await victim.say(PINGREQ);
    delivered += heard.filter((each) => each.kind === 'publish').length;
    if (!heard.some((each) => each.kind === 'publish')) faults.push(`the victim hears nothing after packet ${packet}`);
    for (const pipe of open)
      if (Buffer.from(pipe.take()).includes(Buffer.from(marker)))
        faults.push(`another's message was delivered by packet ${packet}`);
    await bench.advance(1);
    if (packet % (PROBE_EVERY * 20) === 0)
      say(`${packet} packets, ${ended} connections ended, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`);
    if (faults.length > 20) break;
  }
  return {
    facts: {
      seed,
      packets,
      'connections ended': ended,
      'messages to the victim': delivered,
      'resident MiB at the end': Math.round(process.memoryUsage.rss() / 2 ** 20),
    },
    faults,
  };
}

export const mqttMutations: Soak = {
  name: 'mqtt-mutations',
  words:
    'mutated packets through the connection core in this process, beside a victim whose messages nobody else may get',
  run: (count = 1_000_000, seed, say) => mutate(count, seed, say),
};
