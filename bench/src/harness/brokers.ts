import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type GeneratorKind, prepareGenerator } from '../generator/generator.ts';
import { mosquittoVersion, startMosquitto } from '../peers/mosquitto.ts';
import { type Fleet, prepareFleet } from './fleet.ts';
import { type HoldfastServer, startHoldfast } from './holdfast-server.ts';

export interface BrokerSubject {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
}

/** Holdfast and, where it is installed, mosquitto, serving one fleet. */
export interface Brokers {
  readonly fleet: Fleet;
  readonly generator: GeneratorKind;
  readonly holdfast: HoldfastServer;
  readonly subjects: readonly BrokerSubject[];
  readonly notes: readonly string[];
}

/** A folder that is gone afterwards. */
export async function withFolder<Result>(action: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'));
  try {
    return await action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function withBrokers<Result>(
  devices: number,
  action: (brokers: Brokers) => Promise<Result>,
): Promise<Result> {
  return withFolder(async (folder) => {
    const generator = await prepareGenerator();
    const fleet = await prepareFleet(folder, devices);
    const holdfast = await startHoldfast({ dataFolder: fleet.dataFolder });
    const version = mosquittoVersion();
    const mosquitto = version === undefined ? undefined : await startMosquitto(fleet);
    try {
      return await action({
        fleet,
        generator,
        holdfast,
        subjects: [
          { name: 'holdfast', pid: holdfast.pid, port: holdfast.mqttPort },
          ...(mosquitto === undefined ? [] : [{ name: 'mosquitto', pid: mosquitto.pid, port: mosquitto.port }]),
        ],
        notes: [
          `generator: ${generator}`,
          version === undefined ? 'skipped: mosquitto is not installed' : `peer: ${version}, ACL file, no persistence`,
        ],
      });
    } finally {
      await holdfast.stop();
      await mosquitto?.stop();
    }
  });
}
