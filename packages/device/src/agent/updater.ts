import { verifyReleaseManifest } from '@holdfast/crypto';
import { encodeHex, encodeUtf8, equalBytes, type ErrorCode, HoldfastError, toHoldfastError } from '@holdfast/kernel';
import type { JobExecution } from '@holdfast/wire/aws-iot';
import { decodeFirmwareJob, type FirmwareJob } from '@holdfast/wire/holdfast';
import type { ReleaseManifest } from '@holdfast/wire/manifest';
import { decodeMcubootImage, formatVersion, readSecurityCounter } from '@holdfast/wire/mcuboot';
import type { HttpsClient } from '../net/https-client.ts';
import type { MqttConnection } from '../net/mqtt-connection.ts';
import type { JobsClient, StatusDetails } from '../update/jobs-client.ts';
import { downloadByRange } from '../update/range-download.ts';
import { SlotWriter } from '../update/slot-writer.ts';
import { downloadByStream } from '../update/stream-download.ts';
import type { DeviceRecords } from './device-records.ts';
import { type InstalledRelease, judgeManifest } from './manifest-policy.ts';
import type { AgentOptions } from './settings.ts';

const BLOCK = 4096;
const MAX_ATTEMPTS = 3;

export interface UpdaterParts {
  readonly options: AgentOptions;
  readonly records: DeviceRecords;
  readonly connection: MqttConnection;
  readonly https: HttpsClient;
  readonly jobs: JobsClient;
  readonly thing: string;
  /** Version of the application that runs; undefined in safe mode. */
  readonly running: string | undefined;
  /** The server's time; undefined while unknown. */
  readonly now: () => number | undefined;
}

/** `staged`: a reset boots the new image; `finished`: the job has its last word. */
export type JobOutcome = 'staged' | 'finished';

/** Carries out one job execution. */
export class Updater {
  readonly #parts: UpdaterParts;

  constructor(parts: UpdaterParts) {
    this.#parts = parts;
  }

  /** Refusals end the job with FAILED and their code; a lost connection or power is thrown, and the job goes on later. */
  async perform(execution: JobExecution, signal: AbortSignal): Promise<JobOutcome> {
    const { jobId } = execution;
    try {
      return await this.#perform(execution, signal);
    } catch (error) {
      const { code, details } = toHoldfastError(error);
      // The server takes no word on this job: it was cancelled or has ended.
      if (code === 'device.request_rejected') return 'finished';
      if (!FINAL.has(code)) throw error;
      await this.#finish(jobId, 'FAILED', { code, ...reasonOf(details['reason'] ?? details['code']) });
      return 'finished';
    }
  }

  async #perform({ jobId, jobDocument }: JobExecution, signal: AbortSignal): Promise<JobOutcome> {
    const job = decodeFirmwareJob(jobDocument ?? {});
    if (job === undefined) throw new HoldfastError('device.job_unsupported');
    const manifest = this.#checkManifest(job);
    const release: InstalledRelease = {
      sequence: manifest.sequence,
      version: manifest.version,
      imageSha256: encodeHex(manifest.imageSha256),
    };
    if (this.#judge(manifest) === 'installed') {
      this.#parts.records.installed.save(release);
      await this.#finish(jobId, 'SUCCEEDED', { version: manifest.version });
      return 'finished';
    }
    const attempts = this.#attempts(jobId, release);
    await this.#report(jobId, { step: 'downloading', version: manifest.version });
    await this.#download(jobId, job, manifest, signal);
    await this.#report(jobId, { step: 'restarting', version: manifest.version });
    this.#parts.records.pending.save({ jobId, release, phase: 'staged', attempts });
    const { platform } = this.#parts.options;
    platform.updateSlot.requestTest();
    // Boots that failed before are no reason not to try what was sent to end them.
    if (this.#parts.running === undefined) platform.markAlive();
    this.#emit({ kind: 'staged', jobId, version: manifest.version });
    return 'staged';
  }

  #checkManifest(job: FirmwareJob): ReleaseManifest {
    const { releaseRoot } = this.#parts.records.trust();
    const verdict = verifyReleaseManifest(encodeUtf8(JSON.stringify(job.manifest)), releaseRoot);
    if (verdict.kind === 'refused') throw new HoldfastError('device.manifest_refused', { reason: verdict.reason });
    if (verdict.manifest.length !== job.size) throw new HoldfastError('device.image_mismatch', { reason: 'size' });
    return verdict.manifest;
  }

  #judge(manifest: ReleaseManifest): 'install' | 'installed' {
    const { options, records, now, running } = this.#parts;
    const { platform, profile } = options;
    const verdict = judgeManifest(manifest, {
      profile,
      installed: records.installed.load(),
      running,
      securityCounter: platform.securityCounter,
      maxSecurityCounter: platform.maxSecurityCounter,
      capacity: platform.updateSlot.capacity,
      now: now(),
    });
    if (verdict === 'install' || verdict === 'installed') return verdict;
    throw new HoldfastError(verdict, { version: manifest.version });
  }

  /** An image that was staged and did not come up is tried again a few times, not for ever. */
  #attempts(jobId: string, release: InstalledRelease): number {
    const before = this.#parts.records.pending.load();
    const attempts =
      before?.jobId === jobId && before.release.imageSha256 === release.imageSha256 ? before.attempts + 1 : 1;
    if (attempts > MAX_ATTEMPTS) throw new HoldfastError('device.rolled_back', { reason: 'did not boot' });
    return attempts;
  }

  async #download(jobId: string, job: FirmwareJob, manifest: ReleaseManifest, signal: AbortSignal): Promise<void> {
    const { platform, store } = this.#parts.options;
    const { imageSha256: sha256, length: size } = manifest;
    const writer = new SlotWriter(platform.updateSlot, store, { sha256, size }, BLOCK);
    await this.#fetch(job, writer, (received) => this.#emit({ kind: 'downloading', jobId, received, size }), signal);
    // Judged is what the flash gives back, not what the network brought.
    if (!equalBytes(writer.digest(), sha256)) {
      writer.forget();
      throw new HoldfastError('device.image_mismatch', { reason: 'hash' });
    }
    this.#checkImage(manifest);
  }

  async #fetch(
    job: FirmwareJob,
    writer: SlotWriter,
    onProgress: (received: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { options, connection, https, thing } = this.#parts;
    const { transport, clock, random } = options;
    if (transport === 'https') {
      await downloadByRange(https, job.url, writer, onProgress, signal);
      return;
    }
    const format = transport === 'mqtt-cbor' ? 'cbor' : 'json';
    const source = { connection, thing, stream: job.streamName, fileId: job.fileId, format, clock, random } as const;
    await downloadByStream(source, writer, onProgress, signal);
  }

  /** The boot stages judge the image; here it is only held against what its manifest says of it. */
  #checkImage({ length, version, securityCounter }: ReleaseManifest): void {
    const image = decodeMcubootImage(this.#parts.options.platform.updateSlot.read(0, length));
    if (formatVersion(image.header.version) !== version)
      throw new HoldfastError('device.image_mismatch', { reason: 'version' });
    if (readSecurityCounter(image.protectedTlvs) !== securityCounter) {
      throw new HoldfastError('device.image_mismatch', { reason: 'counter' });
    }
  }

  async #report(jobId: string, details: StatusDetails): Promise<void> {
    await this.#parts.jobs.update(jobId, 'IN_PROGRESS', details);
    this.#emit({
      kind: 'job',
      jobId,
      status: 'IN_PROGRESS',
      ...(details['step'] === undefined ? {} : { step: details['step'] }),
    });
  }

  async #finish(jobId: string, status: 'SUCCEEDED' | 'FAILED', details: StatusDetails): Promise<void> {
    await this.#parts.jobs.finish(jobId, status, details);
    this.#parts.records.pending.clear();
    this.#emit({ kind: 'job', jobId, status, ...(details['code'] === undefined ? {} : { code: details['code'] }) });
  }

  #emit(event: Parameters<NonNullable<AgentOptions['onEvent']>>[0]): void {
    this.#parts.options.onEvent?.(event);
  }
}

/** What a job ends on; everything else is a matter of trying again. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'device.job_unsupported',
  'device.manifest_refused',
  'device.wrong_product',
  'device.older_release',
  'device.release_conflict',
  'device.counter_too_low',
  'device.counter_too_high',
  'device.manifest_expired',
  'device.image_too_large',
  'device.image_mismatch',
  'device.flash_failed',
  'device.rolled_back',
  'wire.malformed',
  'wire.truncated',
  'wire.trailing_bytes',
  'wire.too_large',
  'wire.duplicate',
  'wire.unsupported',
  'boot.bad_magic',
  'boot.bad_header',
  'boot.bad_tlv',
  'boot.tlv_not_allowed',
  'boot.tlv_duplicate',
  'boot.trailing_bytes',
  'boot.unsupported_flag',
]);

function reasonOf(reason: string | number | boolean | undefined): StatusDetails {
  return reason === undefined ? {} : { reason: String(reason) };
}
