import { sha256 } from '@holdfast/crypto';
import {
  type Clock,
  encodeCanonicalJson,
  type EpochMs,
  encodeHex,
  encodeUtf8,
  HoldfastError,
  type Log,
  toHoldfastError,
} from '@holdfast/kernel';
import type { RehearsalProgress, RehearsalReport, RehearsalRequest } from '../boot/index.ts';
import type {
  AuditLog,
  ProductRecord,
  ProductRepository,
  RehearsalRecord,
  RehearsalRepository,
  ReleaseRecord,
  Store,
  Tenant,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal, type SystemPrincipal } from '../principal.ts';
import { fieldFirmware, type FieldFirmwarePorts } from './field-firmware.ts';

/** Where rehearsals run: beside everything else, one after the other. */
export interface Rehearser {
  /** @throws `boot.rehearsal_cancelled` on the signal, `boot.rehearsal_failed` when it ended without a report */
  run(
    request: RehearsalRequest,
    watch: { readonly signal: AbortSignal; readonly onProgress: (progress: RehearsalProgress) => void },
  ): Promise<RehearsalReport>;
}

export interface RehearsalsPorts extends FieldFirmwarePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly products: ProductRepository;
  readonly rehearsals: RehearsalRepository;
  readonly rehearser: Rehearser;
  readonly keys: {
    /** SubjectPublicKeyInfo of every key that the product's images may be signed with. */
    trusted(product: ProductRecord): Promise<readonly Uint8Array[]>;
    /** Of those in the boot code of a device made then. */
    heldSince(product: ProductRecord, madeAt: EpochMs): Promise<readonly Uint8Array[]>;
  };
}

/** How a release stands. */
export type RehearsalStanding =
  | { readonly kind: 'none' }
  | { readonly kind: 'running'; readonly progress: RehearsalProgress }
  | { readonly kind: 'done'; readonly record: RehearsalRecord };

type Actor = OperatorPrincipal | SystemPrincipal;

interface Running {
  readonly done: Promise<RehearsalRecord>;
  readonly stop: AbortController;
  progress: RehearsalProgress;
}

const CUTS = 24;
const SECONDS = 20;
const NOT_BEGUN: RehearsalProgress = { step: 'waiting', cuts: 0 };

/** Rehearses releases before they may go to devices, once for each state of the field. */
export class Rehearsals {
  readonly #ports: RehearsalsPorts;
  readonly #running = new Map<string, Running>();

  constructor(ports: RehearsalsPorts) {
    this.#ports = ports;
  }

  async standing({ tenant, releaseId }: Pick<ReleaseRecord, 'tenant' | 'releaseId'>): Promise<RehearsalStanding> {
    const running = this.#running.get(keyOf(tenant, releaseId));
    if (running !== undefined) return { kind: 'running', progress: running.progress };
    const record = await this.#ports.rehearsals.find(tenant, releaseId);
    return record === undefined ? { kind: 'none' } : { kind: 'done', record };
  }

  /** Starts one in the background, or leaves the one under way alone. */
  begin(actor: Actor, release: ReleaseRecord): void {
    const { releaseId } = release;
    this.#start(actor, release).done.catch((error: unknown) => {
      this.#ports.log.warn('a rehearsal ended without a report', {
        release: releaseId,
        code: toHoldfastError(error).code,
      });
    });
  }

  /**
   * Resolves when the release passed, or has nothing against it, for the devices that are in the field now.
   *
   * @throws `boot.rehearsal_refused`; `boot.rehearsal_cancelled`, `boot.rehearsal_failed` when it came to no end
   */
  async require(actor: Actor, release: ReleaseRecord): Promise<void> {
    const { result } = await this.#start(actor, release).done;
    if (result === 'refused') throw new HoldfastError('boot.rehearsal_refused', { release: release.releaseId });
  }

  /** Ends the one under way without a report; no effect when there is none. */
  async cancel({ tenant, releaseId }: Pick<ReleaseRecord, 'tenant' | 'releaseId'>): Promise<void> {
    const running = this.#running.get(keyOf(tenant, releaseId));
    running?.stop.abort();
    await running?.done.catch(() => undefined);
  }

  close(): void {
    for (const { stop } of this.#running.values()) stop.abort();
  }

  #start(actor: Actor, release: ReleaseRecord): Running {
    const key = keyOf(release.tenant, release.releaseId);
    const before = this.#running.get(key);
    if (before !== undefined) return before;
    const stop = new AbortController();
    const done = this.#run(actor, release, stop.signal).finally(() => this.#running.delete(key));
    const running: Running = { done, stop, progress: NOT_BEGUN };
    this.#running.set(key, running);
    return running;
  }

  async #run(actor: Actor, release: ReleaseRecord, signal: AbortSignal): Promise<RehearsalRecord> {
    const { clock, rehearsals, rehearser } = this.#ports;
    const { tenant, releaseId } = release;
    const { request, subjectSha256 } = await this.#request(release);
    const before = await rehearsals.find(tenant, releaseId);
    if (before?.subjectSha256 === subjectSha256) return before;
    const report = await rehearser.run(request, {
      signal,
      onProgress: (progress) => {
        const running = this.#running.get(keyOf(tenant, releaseId));
        if (running !== undefined) running.progress = progress;
      },
    });
    const record: RehearsalRecord = {
      tenant,
      releaseId,
      subjectSha256,
      result: report.result,
      report: JSON.stringify(report),
      rehearsedAt: clock.now(),
      rehearsedBy: actorOf(actor),
    };
    await this.#keep(record, report);
    return record;
  }

  async #request(release: ReleaseRecord) {
    const { keys: imageKeys, products } = this.#ports;
    const product = await products.find(release.tenant, release.product);
    if (product === undefined) throw new HoldfastError('update.unknown_product', { product: release.product });
    const image = await this.#image(release);
    const keys = await imageKeys.trusted(product);
    const from = await this.#from(release, product, { image, keys });
    const { format, slotSize, chip, strategy } = product.boot;
    const request: RehearsalRequest = {
      format,
      image,
      keys,
      from: from.map(({ digest: _digest, ...firmware }) => firmware),
      slotSize,
      chip,
      strategy,
      cuts: CUTS,
      seconds: SECONDS,
      // The release's own: a report can be made again by anyone who has its images.
      seed: Number.parseInt(release.imageSha256.slice(0, 8), 16),
    };
    const subject = encodeCanonicalJson({
      image: release.imageSha256,
      boot: [format, slotSize, chip ?? null, strategy ?? null],
      keys: keys.map(digestOf),
      from: from.map(({ digest, keys: held }) => [digest, held.map(digestOf)]),
    });
    return { request, subjectSha256: encodeHex(sha256(encodeUtf8(subject))) };
  }

  /** Each firmware with the keys its oldest device holds; devices that are made from now on hold all of them. */
  async #from(
    release: ReleaseRecord,
    product: ProductRecord,
    { image, keys }: { readonly image: Uint8Array; readonly keys: readonly Uint8Array[] },
  ) {
    const { firmware, oldestUnproven } = await fieldFirmware(this.#ports, release);
    const held = async (oldest: EpochMs | undefined) =>
      oldest === undefined ? keys : this.#ports.keys.heldSince(product, oldest);
    if (firmware.length === 0)
      return [{ name: 'itself', image, digest: release.measurement, keys: await held(oldestUnproven) }];
    return Promise.all(
      firmware.map(async ({ name, image: before, digest, oldest }) => ({
        name,
        image: before,
        digest,
        keys: await held(oldest),
      })),
    );
  }

  async #image({ tenant, artifactId, imageLength }: ReleaseRecord): Promise<Uint8Array> {
    const file = await this.#ports.files.open(tenant, artifactId);
    if (file === undefined) throw new HoldfastError('update.unknown_artifact', { artifact: artifactId });
    try {
      return await file.read({ start: 0, end: imageLength });
    } finally {
      await file.close();
    }
  }

  #keep(record: RehearsalRecord, { chip, strategy, cuts, seed }: RehearsalReport): Promise<unknown> {
    const { audit, rehearsals, store } = this.#ports;
    const { tenant, releaseId, rehearsedBy: actor, result, report } = record;
    const reportSha256 = encodeHex(sha256(encodeUtf8(report)));
    const details = { result, chip: chip ?? null, strategy: strategy ?? null, cuts, seed, reportSha256 };
    return store.commit([
      rehearsals.keeping(record),
      audit.entry({ tenant, actor, action: 'release.rehearsed', subject: releaseId, details }),
    ]);
  }
}

function digestOf(spki: Uint8Array): string {
  return encodeHex(sha256(spki));
}

function keyOf(tenant: Tenant, releaseId: string): string {
  return `${tenant}\n${releaseId}`;
}
