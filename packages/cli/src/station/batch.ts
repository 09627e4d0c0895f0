import { createHash } from 'node:crypto';
import type { ApiClient } from '@holdfast/api';
import { HoldfastError, systemClock, systemRandom, toHoldfastError } from '@holdfast/kernel';
import type { CommandIo } from '../output/io.ts';
import { describeFailure } from '../output/failure.ts';
import type { BatchRow } from './batch-rows.ts';
import { openClaim } from './batch-claim.ts';
import { bringRows } from './bring-rows.ts';
import { DeviceFolder, sweepUnfinished, writeWhole } from './device-folder.ts';
import { deviceRequest, enrollDevice, KEY_FILE, stationRequest } from './enroll-device.ts';
import { type FormatName, type KeyPlace, outputFiles, type StationDevice } from './outputs/index.ts';
import { patiently } from './patience.ts';
import { StationFolder } from './station-state.ts';

export interface BatchPlan {
  readonly product: string;
  readonly hardwareRevision: string | undefined;
  readonly key: KeyPlace;
  readonly formats: readonly FormatName[];
  readonly out: string;
  /** Where the requests of the devices lie, for `csr`. */
  readonly csrFolder: string;
  readonly parallel: number;
  readonly expiresInHours: number;
  readonly enrollUrl: string | undefined;
  readonly nvs: StationDevice['nvs'];
  readonly rows: readonly BatchRow[];
}

export interface BatchSummary {
  readonly enrolled: number;
  /** Found finished. */
  readonly present: number;
  readonly refused: readonly { readonly serial: string; readonly error: unknown }[];
  /** Not begun, since it was interrupted. */
  readonly left: number;
}

export interface BatchPorts {
  readonly client: ApiClient;
  readonly io: CommandIo;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, of: number) => void;
}

const MANIFEST = 'manifest.jsonl';

/**
 * Enrolls the devices of a batch that are not finished yet, and writes what their maker needs.
 *
 * @throws `cli.rows_refused` before anything is written; `cli.station_folder`, `cli.station_in_use`; what makes the whole
 * batch impossible. What is wrong with one device is in the summary.
 */
export async function runBatch(plan: BatchPlan, ports: BatchPorts): Promise<BatchSummary> {
  const { product, key, formats, rows } = plan;
  const station = StationFolder.open(plan.out, { product, key, formats: [...formats] });
  try {
    const pending = rows.filter(({ serial }) => !new DeviceFolder(plan.out, serial).isFinished);
    const summary = pending.length === 0 ? undefined : await new Batch(plan, ports, station).run(pending);
    writeManifest(plan);
    sweepUnfinished(
      plan.out,
      rows.map(({ serial }) => serial),
    );
    return { enrolled: 0, refused: [], left: 0, ...summary, present: rows.length - pending.length };
  } finally {
    station.close();
  }
}

/** What is the same for all devices of a batch. */
type Common = Pick<StationDevice, 'anchorsPem' | 'rootFingerprint'> & { readonly claim: string };

class Batch {
  readonly #plan: BatchPlan;
  readonly #ports: BatchPorts;
  readonly #station: StationFolder;

  constructor(plan: BatchPlan, ports: BatchPorts, station: StationFolder) {
    this.#plan = plan;
    this.#ports = ports;
    this.#station = station;
  }

  async run(pending: readonly BatchRow[]): Promise<Omit<BatchSummary, 'present'>> {
    const { client, signal, onProgress } = this.#ports;
    const { product, rows, parallel } = this.#plan;
    const status = await client.call('status.show', {});
    const anchors = await client.call('trust-anchors.show', { product });
    await bringRows(client, pending, this.#plan);
    const claim = await openClaim(client, this.#station, { ...this.#plan, listed: listOf(rows), pending });
    const common = { anchorsPem: anchors.tlsAnchorsPem, rootFingerprint: status.rootFingerprint, claim };
    const refused: { serial: string; error: unknown }[] = [];
    let enrolled = 0;
    let unreachable: unknown;
    const queue = pending.values();
    const work = async (): Promise<void> => {
      for (const row of queue) {
        if (signal.aborted || unreachable !== undefined) return;
        try {
          await this.#device(row, common);
          enrolled += 1;
        } catch (error) {
          if (HoldfastError.is(error, 'server.unreachable')) {
            unreachable = error;
            return;
          }
          refused.push({ serial: row.serial, error });
          this.#ports.io.err(`${row.serial}: ${describeFailure(error).line}\n`);
        }
        onProgress(enrolled + refused.length, pending.length);
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, pending.length) }, work));
    if (unreachable !== undefined) throw toHoldfastError(unreachable);
    return { enrolled, refused, left: pending.length - enrolled - refused.length };
  }

  async #device({ serial }: BatchRow, common: Common): Promise<void> {
    const { product, key: place, formats, out, enrollUrl, nvs } = this.#plan;
    const { claim, ...shared } = common;
    const folder = new DeviceFolder(out, serial);
    const request =
      place === 'field'
        ? undefined
        : place === 'csr'
          ? deviceRequest(this.#plan.csrFolder, serial)
          : await stationRequest(folder, serial);
    const certificate =
      request && (await this.#patiently(() => enrollDevice(this.#ports.client, { serial, claim, request })));
    const files = await outputFiles(
      {
        ...shared,
        serial,
        product,
        key: request?.key,
        certificate,
        password: request === undefined ? await this.#password(serial, claim) : undefined,
        enrollUrl,
        nvs,
        random: systemRandom,
      },
      formats,
    );
    const named = [
      ...(request?.key === undefined ? [] : [{ name: KEY_FILE, content: request.key.exportPem() }]),
      ...files,
    ];
    const record = {
      serial,
      product,
      key: place,
      ...(certificate === undefined ? {} : { certificate: certificate.fingerprint }),
      claim,
      files: named.map(({ name, content }) => ({ name, sha256: createHash('sha256').update(content).digest('hex') })),
    };
    folder.finish(files, `${JSON.stringify(record)}\n`);
  }

  async #password(serial: string, claim: string): Promise<string> {
    const { passwords } = await this.#patiently(() =>
      this.#ports.client.call('claims.mint-passwords', { claim, body: { serials: [serial] } }),
    );
    return passwords[0]?.password ?? '';
  }

  #patiently<Result>(work: () => Promise<Result>): Promise<Result> {
    return patiently(work, { clock: systemClock, signal: this.#ports.signal });
  }
}

/** One name for one list of serial numbers, in any order. */
function listOf(rows: readonly BatchRow[]): string {
  const serials = rows.map(({ serial }) => serial).sort();
  return createHash('sha256').update(serials.join('\n')).digest('hex');
}

/** One line for each finished device, in the order of the batch. */
function writeManifest({ out, rows }: BatchPlan): void {
  const folders = rows.map(({ serial }) => new DeviceFolder(out, serial));
  const records = folders.filter(({ isFinished }) => isFinished).map((folder) => folder.readRecord());
  writeWhole(out, { name: MANIFEST, content: records.join(''), secret: false });
}
