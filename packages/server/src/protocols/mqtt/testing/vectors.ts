import { readdirSync, readFileSync } from 'node:fs';
import { decodeHex, encodeHex } from '@holdfast/kernel';
import { encodeAck, encodeConnect, encodePublish, type MqttVersion, type Qos } from '@holdfast/wire/mqtt';
import { connectPacket } from './test-core.ts';

interface Step {
  readonly type: 'send' | 'recv' | 'publish';
  readonly payload: string;
  readonly topic?: string;
  readonly qos?: Qos;
}

interface Case {
  readonly name: string;
  readonly ver?: number;
  readonly connect?: boolean;
  readonly expect_disconnect?: boolean;
  readonly msgs: readonly Step[];
}

interface Group {
  readonly group: string;
  readonly tests: readonly Case[];
}

export interface Sequence extends Case {
  readonly title: string;
}

const FOLDER = new URL('../../../../vectors/mqtt/', import.meta.url);

export function loadSequences(): Sequence[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  return files.sort().flatMap((file) => {
    const groups = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as readonly Group[];
    return groups.flatMap(({ group, tests }) => tests.map((test) => ({ ...test, title: `${group}: ${test.name}` })));
  });
}

/** A client's end of a connection, whatever carries it. */
export interface Wire {
  send(bytes: Uint8Array): Promise<void>;
  /** The next `length` bytes, fewer when the connection ends or nothing comes. */
  receive(length: number): Promise<Uint8Array>;
  close(): void;
}

const CONNACK = '20';
const PING = decodeHex('c000');
let lastClient = 0;

/** Plays one sequence. @returns undefined when it went as expected, else what did not. */
export async function playSequence(sequence: Sequence, open: () => Promise<Wire>): Promise<string | undefined> {
  const wire = await open();
  try {
    const version: MqttVersion = sequence.ver === 5 ? 5 : 4;
    if (sequence.connect !== false) await connect(wire, version);
    for (const step of sequence.msgs) {
      const fault = await play(step, wire, open);
      if (fault !== undefined) return fault;
    }
    return sequence.expect_disconnect === false ? await expectAlive(wire) : await expectEnd(wire);
  } finally {
    wire.close();
  }
}

async function connect(wire: Wire, version: MqttVersion): Promise<void> {
  await wire.send(encodeConnect(connectPacket(`vector-${++lastClient}`, { version })));
  await readConnack(wire);
}

async function readConnack(wire: Wire): Promise<string> {
  const head = await wire.receive(2);
  const body = await wire.receive(head[1] ?? 0);
  return `${encodeHex(head)}${encodeHex(body)}`;
}

async function play(step: Step, wire: Wire, open: () => Promise<Wire>): Promise<string | undefined> {
  const payload = step.payload.replaceAll(' ', '').toLowerCase();
  if (step.type === 'send') {
    await wire.send(decodeHex(payload));
    return undefined;
  }
  if (step.type === 'publish') {
    await publish(step, open);
    return undefined;
  }
  if (payload.startsWith(CONNACK)) {
    const got = await readConnack(wire);
    const same = got.slice(0, 1) === payload.slice(0, 1) && got.slice(4, 8) === payload.slice(4, 8);
    // MQTT 3.1 is not spoken: its sequence may end in "unacceptable protocol version".
    return same || got === '20020001' ? undefined : `CONNACK ${got} for ${payload}`;
  }
  const got = encodeHex(await wire.receive(payload.length / 2));
  return got === payload ? undefined : `received ${got} for ${payload}`;
}

async function publish({ topic = '', payload, qos = 0 }: Step, open: () => Promise<Wire>): Promise<void> {
  const wire = await open();
  await connect(wire, 4);
  const packetId = qos === 0 ? 0 : 1;
  await wire.send(encodePublish({ topic, payload: new TextEncoder().encode(payload), qos, packetId }, 4));
  if (qos > 0) await wire.receive(4);
  if (qos === 2) {
    await wire.send(encodeAck({ kind: 'pubrel', packetId }, 4));
    await wire.receive(4);
  }
  wire.close();
}

async function expectEnd(wire: Wire): Promise<string | undefined> {
  const more = await wire.receive(1);
  if (more.length > 0) return `received ${encodeHex(more)} instead of the end`;
  await wire.send(PING);
  return (await wire.receive(2)).length > 0 ? 'the connection is still open' : undefined;
}

async function expectAlive(wire: Wire): Promise<string | undefined> {
  await wire.send(PING);
  const answer = encodeHex(await wire.receive(2));
  return answer === 'd000' ? undefined : `received ${answer} for a ping`;
}
