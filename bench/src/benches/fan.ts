import { alternate, atMost, type Bench, type BenchReport, type Effort, type Sample } from '../harness/bench.ts';
import { type Brokers, type BrokerSubject, withBrokers } from '../harness/brokers.ts';
import { cpuMicros } from '../harness/processes.ts';
import { type Load, startLoad } from '../generator/generator.ts';

type Shape = Pick<Load, 'publishers' | 'subscribers' | 'window' | 'burst'>;

const MANY = 100;
/** Publishers that send what they have gathered, as senders that are busy do. */
const FAN_IN: Shape = { publishers: MANY, subscribers: 1, window: 2000, burst: 20 };
const FAN_OUT: Shape = { publishers: 1, subscribers: MANY, window: 20, burst: 10 };
/** One message at a time from everybody: each costs its server a read and a write of its own. */
const ONE_BY_ONE: Partial<Shape> = { window: 400, burst: 1 };

async function measure(
  { generator, fleet }: Brokers,
  { pid, port }: BrokerSubject,
  load: Shape & Pick<Load, 'qos' | 'count'>,
): Promise<Sample> {
  const ready = await startLoad(generator, fleet, { mode: 'fan', port, size: 256, ...load });
  const before = cpuMicros(pid);
  const result = await ready.go();
  const cpu = cpuMicros(pid) - before;
  await ready.stop();
  if (result.failures > 0) throw new Error(`${result.failures} deliveries are missing`);
  return { 'CPU µs': cpu / result.operations, 'deliveries a second': result.operations / result.seconds };
}

function makeFan(
  name: string,
  words: string,
  plan: { readonly shape: Shape; readonly qos: 0 | 1; readonly count: number; readonly bound: number },
): Bench {
  const { shape, qos, count, bound } = plan;
  return {
    name,
    words,
    run: (effort: Effort) =>
      withBrokers(MANY + 1, async (brokers): Promise<BenchReport> => {
        const load = { ...shape, qos, count: effort.size(count, Math.ceil(count / 40)) };
        const contend = (label: string, shape: Partial<Shape>) =>
          brokers.subjects.map((subject) => ({
            name: subject.name + label,
            measure: () => measure(brokers, subject, { ...load, ...shape }),
          }));
        const contenders = [
          ...contend('', {}),
          ...(load.publishers === 1 ? [] : contend(', one at a time', ONE_BY_ONE)),
        ];
        for (const { measure: warmUp } of contenders) await warmUp();
        const rounds = await alternate(effort, contenders);
        return {
          figures: rounds.figures(),
          targets: rounds.has('mosquitto')
            ? [atMost('CPU a delivery beside mosquitto', rounds.ratio('CPU µs', 'holdfast', 'mosquitto'), bound)]
            : [],
          notes: brokers.notes,
        };
      }),
  };
}

export const FAN_BENCHES: readonly Bench[] = [
  makeFan('fan-in-qos0', 'TLS, policy on, 256 bytes, 100 publishers to 1 subscriber, QoS 0', {
    shape: FAN_IN,
    qos: 0,
    count: 200_000,
    bound: 0.4,
  }),
  makeFan('fan-in-qos1', 'the same, QoS 1 on both sides', { shape: FAN_IN, qos: 1, count: 60_000, bound: 0.4 }),
  makeFan('fan-out-qos0', 'TLS, policy on, 256 bytes, 1 publisher to 100 subscribers, QoS 0', {
    shape: FAN_OUT,
    qos: 0,
    count: 3000,
    bound: 0.3,
  }),
  makeFan('fan-out-qos1', 'the same, QoS 1 on both sides', { shape: FAN_OUT, qos: 1, count: 1500, bound: 0.3 }),
];
