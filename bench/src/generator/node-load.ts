// The load generator for machines without a C compiler: same flags, same answers, more processor time of its own.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { encodeAck, encodeConnect, encodePublish, encodeSubscribe, FrameSplitter } from '@holdfast/wire/mqtt';

const TEXTS = [
  'mode',
  'port',
  'count',
  'concurrency',
  'resume',
  'groups',
  'qos',
  'size',
  'window',
  'burst',
  'publishers',
  'subscribers',
  'seconds',
  'identities',
  'ca',
];
const { values } = parseArgs({ options: Object.fromEntries(TEXTS.map((name) => [name, { type: 'string' as const }])) });
const text = (name: string, fallback = ''): string => values[name] ?? fallback;
const number = (name: string, fallback: number): number => Number(values[name] ?? fallback);

const ca = readFileSync(text('ca'));
const folder = text('identities');
const names = readFileSync(path.join(folder, 'names'), 'utf8').trim().split('\n');
let resumed = 0;
const sessions = new Map<string, Buffer>();
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

type OnPacket = (first: number, body: Uint8Array) => void;

/** Connects and waits for CONNACK. */
function open(name: string, onPacket: OnPacket, onClose: () => void): Promise<TLSSocket> {
  const pem = readFileSync(path.join(folder, `${name}.pem`));
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const session = number('resume', 0) === 1 ? sessions.get(name) : undefined;
  const socket = connect({
    host: '127.0.0.1',
    port: number('port', 0),
    ca,
    cert: pem,
    key: pem,
    minVersion: 'TLSv1.3',
    ecdhCurve: text('groups', 'X25519'),
    ...(session === undefined ? {} : { session }),
  });
  const splitter = new FrameSplitter(1_000_000);
  socket.setNoDelay(true);
  socket.on('session', (ticket) => sessions.set(name, ticket));
  socket.on('secureConnect', () =>
    socket.write(
      encodeConnect({
        version: 4,
        clean: true,
        keepAlive: 300,
        clientId: name,
        will: undefined,
        userName: undefined,
        password: undefined,
        properties: {},
      }),
    ),
  );
  socket.on('data', (chunk: Uint8Array) => {
    splitter.push(chunk, {
      frame: (first, bytes, _start, body, end) => {
        if (first >> 4 !== 2) onPacket(first, bytes.subarray(body, end));
        else if (bytes[body + 1] === 0) resolve(socket);
        else reject(new Error('refused'));
        return true;
      },
    });
  });
  socket.on('error', reject);
  socket.on('close', () => {
    reject(new Error('closed'));
    onClose();
  });
  return promise;
}

async function readyAndWait(): Promise<void> {
  console.log('ready');
  await input.next();
}

const ignore = (): void => undefined;
const seconds = (from: number): number => (performance.now() - from) / 1000;

async function connectBatch(count: number): Promise<number> {
  let left = count;
  let failures = 0;
  const slots = Math.min(number('concurrency', 32), names.length);
  const work = async (slot: number): Promise<void> => {
    for (let at = slot; left-- > 0; at = at + slots < names.length ? at + slots : slot) {
      try {
        const socket = await open(names[at] ?? '', ignore, ignore);
        if (socket.isSessionReused()) resumed++;
        socket.end(Uint8Array.of(0xe0, 0));
      } catch {
        failures++;
      }
    }
  };
  await Promise.all(Array.from({ length: slots }, (_, slot) => work(slot)));
  return failures;
}

async function runConnect(): Promise<object> {
  if (number('resume', 0) === 1) await connectBatch(names.length);
  await readyAndWait();
  resumed = 0;
  const started = performance.now();
  const operations = number('count', 1);
  const failures = await connectBatch(operations);
  return { operations, failures, resumed, seconds: seconds(started) };
}

async function runFan(): Promise<object> {
  const subscribers = number('subscribers', 1);
  const publishers = number('publishers', 1);
  const qos = number('qos', 0) as 0 | 1;
  const payload = new Uint8Array(number('size', 256)).fill(0x78);
  const window = number('window', 200);
  const burst = number('burst', 1);
  let delivered = 0;
  let acknowledged = 0;
  let subscribed = 0;
  let sent = 0;
  let wake: () => void = ignore;
  const lost = (): void => process.exit(2);
  const listen = async (name: string): Promise<void> => {
    const socket = await open(
      name,
      (first, body) => {
        if (first >> 4 === 9) subscribed++;
        if (first >> 4 === 3) {
          delivered++;
          const at = 2 + (((body[0] ?? 0) << 8) | (body[1] ?? 0));
          if (((first >> 1) & 3) === 1)
            socket.write(encodeAck({ kind: 'puback', packetId: ((body[at] ?? 0) << 8) | (body[at + 1] ?? 0) }, 4));
        }
        wake();
      },
      lost,
    );
    socket.write(
      encodeSubscribe(
        { packetId: 1, subscriptions: [{ text: publishers === 1 ? 'bench/all' : 'bench/+/up', qos }] },
        4,
      ),
    );
  };
  for (const name of names.slice(0, subscribers)) await listen(name);
  const senders: { readonly name: string; readonly socket: TLSSocket; inFlight: number }[] = [];
  for (const name of names.slice(subscribers, subscribers + publishers)) {
    const sender = {
      name,
      inFlight: 0,
      socket: await open(
        name,
        (first) => {
          if (first >> 4 === 4) {
            acknowledged++;
            sender.inFlight--;
          }
          wake();
        },
        lost,
      ),
    };
    senders.push(sender);
  }
  const publish = (sender: (typeof senders)[number]): void => {
    const topic = publishers === 1 ? 'bench/all' : `bench/${sender.name}/up`;
    const packetId = (sent % 65_535) + 1;
    sender.socket.write(encodePublish(qos === 0 ? { topic, payload, qos } : { topic, payload, qos, packetId }, 4));
    if (qos === 1) sender.inFlight++;
    sent++;
  };
  let turn = 0;
  const isSent = (limit: number): boolean => sent >= limit;
  const send = (limit: number): void => {
    for (let tried = 0; tried < senders.length && !isSent(limit); turn++) {
      const sender = senders[turn % senders.length];
      if (sender === undefined || sent - delivered / subscribers + burst > window) return;
      if (sender.inFlight + burst > 50) {
        tried++;
        continue;
      }
      sender.socket.cork();
      for (let index = 0; index < burst && !isSent(limit); index++) publish(sender);
      sender.socket.uncork();
    }
  };
  const batch = async (limit: number): Promise<void> => {
    const isDone = (): boolean => delivered >= limit * subscribers && (qos === 0 || acknowledged >= limit);
    while (!isDone()) {
      send(limit);
      const before = delivered + acknowledged;
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, 10_000).unref();
      });
      if (delivered + acknowledged === before) return;
    }
  };
  const areReady = (): boolean => subscribed >= subscribers;
  while (!areReady()) await new Promise((resolve) => setTimeout(resolve, 5));
  await batch(publishers * 2);
  const before = delivered;
  await readyAndWait();
  const started = performance.now();
  const count = number('count', 1);
  await batch(publishers * 2 + count);
  return {
    operations: delivered - before,
    failures: count * subscribers - (delivered - before),
    seconds: seconds(started),
  };
}

async function runHold(): Promise<object> {
  const cuts: [string, number][] = [];
  const enough = Promise.withResolvers<void>();
  const expected = number('window', 1);
  for (const name of names.slice(0, number('count', 1))) {
    await open(name, ignore, () => {
      cuts.push([name, Number(process.hrtime.bigint())]);
      if (cuts.length >= expected) enough.resolve();
    });
  }
  console.log('ready');
  setTimeout(enough.resolve, number('seconds', 60) * 1000).unref();
  await enough.promise;
  return { operations: cuts.length, failures: expected - cuts.length, seconds: 0, cuts };
}

const MODES: Readonly<Record<string, () => Promise<object>>> = { connect: runConnect, fan: runFan, hold: runHold };
const mode = MODES[text('mode')];
if (mode === undefined) process.exit(64);
console.log(JSON.stringify(await mode()));
process.exit(0);
