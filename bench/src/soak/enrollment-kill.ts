import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withFolder } from '../harness/brokers.ts';
import { percentile } from '../harness/bench.ts';
import { type HoldfastServer, startHoldfast } from '../harness/holdfast-server.ts';
import { type ClaimPem, EnrollingClient, PROTOCOLS, STEPS } from './enrolling-client.ts';
import { judgeRecords } from './enrollment-records.ts';
import { Dice, type Soak, type SoakReport } from './soak.ts';

export interface KillPlan {
  readonly kills: number;
  readonly seed: number;
  /** Longest wait between a step and the kill, in milliseconds. */
  readonly maxDelayMs: number;
  readonly say?: (line: string) => void;
}

const TOGETHER = 3;
const READY_MS = 3000;

/**
 * Kills the server while devices enroll, after a random step of one of them, and lets every device ask again.
 *
 * @returns what did not hold, and how long the server took to be back
 */
export async function besiegeEnrollment(plan: KillPlan): Promise<SoakReport> {
  return withFolder(async (folder) => {
    const siege = new Siege(path.join(folder, 'data'), plan);
    return siege.run();
  });
}

class Siege {
  readonly #dataFolder: string;
  readonly #plan: KillPlan;
  readonly #dice: Dice;
  readonly #clients: EnrollingClient[] = [];
  readonly #readyMs: number[] = [];
  readonly #faults: string[] = [];
  #claim: ClaimPem | undefined;
  #retries = 0;

  constructor(dataFolder: string, plan: KillPlan) {
    this.#dataFolder = dataFolder;
    this.#plan = plan;
    this.#dice = new Dice(plan.seed);
  }

  async run(): Promise<SoakReport> {
    const { kills, seed, say } = this.#plan;
    for (let kill = 1; kill <= kills; kill++) {
      const server = await this.#start();
      await this.#retryAll(server);
      await this.#killWhileEnrolling(server, kill);
      if (kill % 50 === 0) say?.(`${kill} kills, ${this.#clients.length} devices, ${this.#retries} retries`);
    }
    const last = await this.#start();
    await this.#retryAll(last);
    const verdict = await last.client.call('audit.verify', {});
    if (verdict.kind !== 'intact') this.#fault(`the audit log is ${JSON.stringify(verdict)}`);
    await last.stop();
    this.#faults.push(...judgeRecords(this.#dataFolder, this.#clients));
    return {
      facts: {
        seed,
        kills,
        devices: this.#clients.length,
        retries: this.#retries,
        'audit entries': verdict.kind === 'intact' ? verdict.entries : 0,
        'ready again, median ms': Math.round(percentile(this.#readyMs, 0.5)),
        'ready again, longest ms': Math.round(Math.max(...this.#readyMs)),
        'ready again later than 3 s': this.#readyMs.filter((ms) => ms > READY_MS).length,
      },
      faults: this.#faults,
    };
  }

  async #start(): Promise<HoldfastServer> {
    const server = await startHoldfast({ dataFolder: this.#dataFolder });
    if (this.#claim === undefined) {
      await server.client.call('products.create', { body: { name: 'lamp', evidence: 'none' } });
      this.#claim = await server.client.call('claims.create', { body: { product: 'lamp', quota: 100_000 } });
    } else {
      this.#readyMs.push(server.readyMs);
    }
    return server;
  }

  async #retryAll(server: HoldfastServer): Promise<void> {
    for (const client of this.#clients.filter(({ identity }) => identity === undefined)) {
      this.#retries++;
      try {
        await this.#enroll(client, server, () => undefined);
      } catch (error) {
        this.#fault(
          `the retry of ${client.serial} by ${client.protocol} was refused: ${String(error)} ${JSON.stringify(error)}`,
        );
      }
    }
  }

  #fault(words: string): void {
    this.#faults.push(words);
    this.#plan.say?.(words);
  }

  async #killWhileEnrolling(server: HoldfastServer, kill: number): Promise<void> {
    const moment = { step: this.#dice.pick(STEPS), delayMs: this.#dice.below(this.#plan.maxDelayMs + 1) };
    const killed = Promise.withResolvers<void>();
    let isDue = true;
    const onStep = (step: string): void => {
      if (step !== moment.step || !isDue) return;
      isDue = false;
      void sleep(moment.delayMs)
        .then(() => server.kill())
        .then(killed.resolve, killed.reject);
    };
    const fresh = Array.from(
      { length: TOGETHER },
      (_, index) => new EnrollingClient(`lamp-${kill}-${index}`, this.#dice.pick(PROTOCOLS)),
    );
    this.#clients.push(...fresh);
    await Promise.allSettled(fresh.map((client) => this.#enroll(client, server, onStep)));
    // EST has no moment of its own between begun and asked.
    if (isDue) await server.kill();
    else await killed.promise;
  }

  async #enroll(client: EnrollingClient, server: HoldfastServer, onStep: (step: string) => void): Promise<void> {
    if (this.#claim === undefined) throw new TypeError('there is no claim yet');
    const anchor = readFileSync(path.join(this.#dataFolder, 'root-ca.pem'), 'utf8');
    await client.enroll(server, anchor, this.#claim, onStep);
  }
}

export const enrollmentKill: Soak = {
  name: 'enrollment-kill',
  words: 'kill -9 of the server up to 200 ms after a random step of an enrollment, through three doors',
  run: (count = 500, seed, say) => besiegeEnrollment({ kills: count, seed, maxDelayMs: 200, say }),
};
