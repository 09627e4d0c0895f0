import {
  alternate,
  atMost,
  type Bench,
  type BenchReport,
  type Contender,
  type Effort,
  type Sample,
} from '../harness/bench.ts';
import { cpuMicros } from '../harness/processes.ts';
import { withBareTls } from '../peers/bare-tls.ts';
import { hasOpenssl, publicKeySpeed } from '../peers/openssl.ts';
import { withBrokers, type Brokers } from '../harness/brokers.ts';
import { type Load, startLoad } from '../generator/generator.ts';

const DEVICES = 400;

type Kind = Pick<Load, 'resume' | 'groups'>;

const COLD: Kind = { resume: 0 };
const HYBRID: Kind = { resume: 0, groups: 'X25519MLKEM768:X25519' };
const RESUMED: Kind = { resume: 1 };

async function measure(
  { generator, fleet }: Brokers,
  subject: { readonly pid: number; readonly port: number },
  load: Omit<Load, 'mode' | 'port'>,
): Promise<Sample> {
  const ready = await startLoad(generator, fleet, { mode: 'connect', port: subject.port, concurrency: 32, ...load });
  const before = cpuMicros(subject.pid);
  const result = await ready.go();
  const cpu = cpuMicros(subject.pid) - before;
  await ready.stop();
  if (result.failures > 0) throw new Error(`${result.failures} of ${result.operations} connects failed`);
  if (load.resume === 1 && (result.resumed ?? 0) < result.operations * 0.9)
    throw new Error(`only ${result.resumed} of ${result.operations} connects were resumed by ${subject.pid}`);
  return { 'CPU µs': cpu / result.operations, 'connects a second': result.operations / result.seconds };
}

function contenders(brokers: Brokers, kind: Kind, count: number, label = ''): readonly Contender[] {
  return brokers.subjects.map((subject) => ({
    name: subject.name + label,
    measure: () => measure(brokers, subject, { count, ...kind }),
  }));
}

/** What is compiled and cached on the first connects is not what a running server costs. */
async function warmUp(brokers: Brokers, effort: Effort): Promise<void> {
  for (const subject of brokers.subjects) await measure(brokers, subject, { count: effort.size(1500, 50), ...COLD });
}

async function limitMicros(effort: Effort): Promise<number | undefined> {
  if (!hasOpenssl()) return undefined;
  const { signP256, verifyP256, deriveX25519 } = await publicKeySpeed(effort.smoke ? 1 : 2);
  return (signP256 + 2 * verifyP256 + 2 * deriveX25519) * 1e6;
}

export const connectCold: Bench = {
  name: 'connect-cold',
  words: 'mutual TLS 1.3 with P-256, identity, policy, MQTT CONNECT to CONNACK; X25519 on both',
  run: (effort) =>
    withBrokers(effort.size(DEVICES, 64), async (brokers): Promise<BenchReport> => {
      const count = effort.size(2000, 100);
      await warmUp(brokers, effort);
      const limit = await limitMicros(effort);
      const hybrid = brokers.generator === 'node' ? contenders(brokers, HYBRID, count, ' hybrid').slice(0, 1) : [];
      const rounds = await withBareTls(brokers.fleet, async (bare) => {
        const floor = { name: 'bare node:tls', measure: () => measure(brokers, bare, { count, ...COLD }) };
        await floor.measure();
        return alternate(effort, [...contenders(brokers, COLD, count), floor, ...hybrid]);
      });
      const own = rounds.median('holdfast', 'CPU µs');
      return {
        figures: rounds.figures(),
        targets: [
          ...(rounds.has('mosquitto')
            ? [atMost('CPU beside mosquitto', rounds.ratio('CPU µs', 'holdfast', 'mosquitto'), 0.85)]
            : []),
          ...(limit === undefined ? [] : [atMost('CPU in times of sign + 2 verify + 2 X25519', own / limit, 7.5)]),
        ],
        notes: [
          ...brokers.notes,
          ...(limit === undefined
            ? ['skipped: the physical limit, no openssl']
            : [`limit by openssl speed: ${limit.toFixed(0)} µs`]),
          ...(hybrid.length === 0
            ? [
                'skipped: hybrid X25519MLKEM768, which the OpenSSL of the native generator may not have; BENCH_GENERATOR=node shows it',
              ]
            : []),
        ],
      };
    }),
};

export const connectResumed: Bench = {
  name: 'connect-resumed',
  words: 'the same with a TLS 1.3 ticket; the registry is asked again',
  run: (effort) =>
    withBrokers(effort.size(DEVICES, 64), async (brokers): Promise<BenchReport> => {
      const count = effort.size(2000, 100);
      await warmUp(brokers, effort);
      const cold = contenders(brokers, COLD, count, ' cold').slice(0, 1);
      const rounds = await alternate(effort, [...contenders(brokers, RESUMED, count), ...cold]);
      return {
        figures: rounds.figures(),
        targets: [
          ...(rounds.has('mosquitto')
            ? [atMost('CPU beside mosquitto', rounds.ratio('CPU µs', 'holdfast', 'mosquitto'), 0.75)]
            : []),
          atMost('CPU beside own cold connect', rounds.ratio('CPU µs', 'holdfast', 'holdfast cold'), 0.55),
        ],
        notes: brokers.notes,
      };
    }),
};
