import { atMost, type Bench, type BenchReport, percentile, spreadOf } from '../harness/bench.ts';
import { withBrokers } from '../harness/brokers.ts';
import { startLoad } from '../generator/generator.ts';

const now = (): number => Number(process.hrtime.bigint()) / 1e6;

export const revocationToCut: Bench = {
  name: 'revocation-to-cut',
  words: 'from the call that revokes a device until its client sees the connection end, one node',
  run: (effort) => {
    const sessions = effort.size(10_000, 200);
    const singles = effort.size(200, 20);
    const batch = effort.size(1000, 50);
    return withBrokers(sessions, async ({ fleet, generator, holdfast, notes }): Promise<BenchReport> => {
      const hold = await startLoad(generator, fleet, {
        mode: 'hold',
        port: holdfast.mqttPort,
        count: sessions,
        window: singles + batch,
        seconds: 120,
      });
      const asked = new Map<string, number>();
      const answered: number[] = [];
      const revoke = async (device: string): Promise<void> => {
        asked.set(device, now());
        await holdfast.client.call('devices.revoke', { device, body: { reason: 'keyCompromise' } });
        answered.push(now() - (asked.get(device) ?? 0));
      };
      for (const name of fleet.names.slice(0, singles)) await revoke(name);
      const batchStarted = now();
      const batched = fleet.names.slice(singles, singles + batch);
      await Promise.all(batched.map(revoke));
      const { cuts = [], failures } = await hold.result;
      await hold.stop();
      if (failures > 0) throw new Error(`${failures} connections were not cut`);
      const at = new Map(cuts.map(([name, nanos]) => [name, nanos / 1e6]));
      const single = fleet.names.slice(0, singles).map((name) => (at.get(name) ?? Number.NaN) - (asked.get(name) ?? 0));
      const batchMs = Math.max(...batched.map((name) => at.get(name) ?? Number.NaN)) - batchStarted;
      return {
        figures: [
          { subject: 'single', metric: 'ms to the cut', spread: spreadOf(single) },
          { subject: 'single', metric: 'ms to the answer', spread: spreadOf(answered.slice(0, singles)) },
          { subject: `batch of ${batch}`, metric: 'ms until the last cut', spread: spreadOf([batchMs]) },
        ],
        targets: [
          atMost(`ms to the cut, p99 of ${singles}, ${sessions} sessions live`, percentile(single, 0.99), 100),
          atMost(`ms until the last of ${batch} at once is cut`, batchMs, 1000),
        ],
        notes: [
          ...notes.filter((note) => note.startsWith('generator')),
          'skipped: mosquitto never cuts; three nodes, which this version has not',
        ],
      };
    });
  },
};
