import { HoldfastError } from '@holdfast/kernel';
import type { EvidenceReply } from '@holdfast/wire/holdfast';
import { delay } from '../net/backoff.ts';
import type { HttpsClient } from '../net/https-client.ts';
import type { MqttConnection } from '../net/mqtt-connection.ts';
import { JobsClient } from '../update/jobs-client.ts';
import type { BootResult } from '@holdfast/crypto/virtual-chip';
import type { DeviceRecords } from './device-records.ts';
import type { ResetReason } from './events.ts';
import { HoldfastRequests } from './prover.ts';
import type { AgentOptions, AgentTimings } from './settings.ts';
import { Updater } from './updater.ts';

export interface SessionParts {
  readonly options: AgentOptions;
  readonly timings: AgentTimings;
  readonly records: DeviceRecords;
  readonly connection: MqttConnection;
  readonly https: HttpsClient;
  readonly thing: string;
  readonly boot: BootResult;
  /** Monotonic, milliseconds. */
  readonly bootedAt: number;
  /** Executions that had their last word in this boot. */
  readonly finished: Set<string>;
  readonly renewAt: number;
  /** By the device's clock: not sooner, whoever asks. */
  readonly renewNotBefore: number;
}

/** How a session ends when nothing went wrong. */
export type SessionEnd = { readonly kind: 'reset'; readonly reason: ResetReason } | { readonly kind: 'renew' };

/** What a device does on one connection: time, proof, then work until a reset or the end of the connection. */
export class Session {
  readonly #parts: SessionParts;
  readonly #requests: HoldfastRequests;
  readonly #jobs: JobsClient;
  #timeOffsetMs: number | undefined;
  #wake: (() => void) | undefined;
  #woken = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#requests = new HoldfastRequests(parts.connection, parts.thing);
    this.#jobs = new JobsClient(parts.connection, parts.thing, parts.options.random);
  }

  /** @throws why the connection ended, `device.power_cut` */
  async run(signal: AbortSignal): Promise<SessionEnd> {
    await this.#turn();
    await this.#setClock();
    if (this.#parts.boot.descriptor.bootState === 'test') return this.#tryOut(signal);
    await this.#prove();
    await this.#health();
    await this.#settle();
    await this.#jobs.onNext(() => this.#poke());
    return this.#work(signal);
  }

  /**
   * First of all: until the server turned, whoever copied this device can come in its place. Where it may not turn, the
   * value it holds stays good.
   */
  async #turn(): Promise<void> {
    const { ratchet } = this.#parts.records;
    try {
      await ratchet.turn(this.#requests);
    } catch (error) {
      if (!HoldfastError.is(error, 'device.request_rejected')) throw error;
      if (error.details['code'] !== 'identity.ratchet_stale') return;
      ratchet.forgetNext();
      throw error;
    }
  }

  /** Asked after each wait: the server keeps whose turn it is, and a device that was away asks when it is back. */
  async #mustRenew(): Promise<boolean> {
    const { options, renewNotBefore } = this.#parts;
    if (options.clock.now() < renewNotBefore) return false;
    try {
      return await this.#requests.mustRenew();
    } catch (error) {
      if (!HoldfastError.is(error, 'device.request_rejected')) throw error;
      return false;
    }
  }

  async #setClock(): Promise<void> {
    try {
      this.#timeOffsetMs = (await this.#requests.time()) - this.#parts.options.clock.now();
    } catch (error) {
      if (!HoldfastError.is(error, 'device.request_rejected')) throw error;
      this.#timeOffsetMs = undefined;
    }
  }

  get #now(): number | undefined {
    return this.#timeOffsetMs === undefined ? undefined : this.#parts.options.clock.now() + this.#timeOffsetMs;
  }

  /** On trial nothing counts but the server's word on the evidence; without it the next reset reverts. */
  async #tryOut(signal: AbortSignal): Promise<SessionEnd> {
    const { options, timings, bootedAt, boot } = this.#parts;
    while (options.clock.monotonicMs() - bootedAt < timings.trialMs) {
      const reply = await this.#prove();
      if (reply?.proceed === 'confirm') {
        options.platform.updateSlot.confirm();
        options.onEvent?.({ kind: 'confirmed', version: boot.descriptor.version });
        return { kind: 'reset', reason: 'confirmed' };
      }
      await this.#pause(Math.min(timings.pollMs, timings.trialMs / 5), signal);
    }
    return { kind: 'reset', reason: 'proof-refused' };
  }

  /** @returns undefined when the server rejected the evidence */
  async #prove(): Promise<EvidenceReply | undefined> {
    const { options, boot } = this.#parts;
    try {
      const reply = await this.#requests.prove(boot, options.profile.ueid);
      options.onEvent?.({ kind: 'evidence', reply });
      return reply;
    } catch (error) {
      if (!HoldfastError.is(error, 'device.request_rejected')) throw error;
      options.onEvent?.({ kind: 'evidence-rejected', code: String(error.details['code'] ?? '') });
      return undefined;
    }
  }

  async #health(): Promise<void> {
    const { options, boot, bootedAt, records } = this.#parts;
    const failure = records.pending.load()?.failure;
    await this.#requests.reportHealth({
      firmwareVersion: boot.descriptor.version,
      bootState: boot.descriptor.bootState,
      bootCount: boot.descriptor.bootCount,
      maxSectorErases: options.platform.maxSectorErases,
      uptimeSeconds: Math.round((options.clock.monotonicMs() - bootedAt) / 1000),
      ...(failure === undefined ? {} : { lastUpdateError: failure }),
    });
  }

  /** The last word on an update that a reset came between. */
  async #settle(): Promise<void> {
    const { options, records, boot, finished } = this.#parts;
    const pending = records.pending.load();
    if (pending === undefined || boot.kind === 'safe-mode') return;
    const { jobId, release, failure = 'device.rolled_back' } = pending;
    const isNew = boot.descriptor.version === release.version;
    // Written, but never seen running: the job goes on where it was.
    if (!isNew && pending.phase === 'staged') return;
    if (isNew) records.installed.save(release);
    const status = isNew ? 'SUCCEEDED' : 'FAILED';
    await this.#jobs.finish(jobId, status, isNew ? { version: release.version } : { code: failure });
    finished.add(jobId);
    records.pending.clear();
    options.onEvent?.({ kind: 'job', jobId, status, ...(isNew ? {} : { code: failure }) });
  }

  async #work(signal: AbortSignal): Promise<SessionEnd> {
    const { options, timings, finished, renewAt } = this.#parts;
    let provedAt = options.clock.monotonicMs();
    for (;;) {
      if (await this.#mustRenew()) return { kind: 'renew' };
      if (options.clock.now() + (this.#timeOffsetMs ?? 0) >= renewAt) return { kind: 'renew' };
      const execution = await this.#jobs.startNext();
      if (execution !== undefined && !finished.has(execution.jobId)) {
        const outcome = await this.#updater().perform(execution, signal);
        if (outcome === 'staged') return { kind: 'reset', reason: 'update-staged' };
        finished.add(execution.jobId);
        continue;
      }
      await this.#pause(timings.pollMs, signal);
      if (options.clock.monotonicMs() - provedAt < timings.evidenceEveryMs) continue;
      await this.#prove();
      provedAt = options.clock.monotonicMs();
    }
  }

  #updater(): Updater {
    const { options, records, connection, https, thing, boot } = this.#parts;
    const running = boot.kind === 'application' ? boot.descriptor.version : undefined;
    return new Updater({ options, records, connection, https, jobs: this.#jobs, thing, running, now: () => this.#now });
  }

  /** Waits for a notification, at most so long. @throws why the connection ended, `kernel.aborted` */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#woken) {
      this.#woken = false;
      return;
    }
    const stop = new AbortController();
    const end = (): void => stop.abort();
    this.#wake = end;
    signal.addEventListener('abort', end, { once: true });
    try {
      const { connection, options } = this.#parts;
      await Promise.race([
        delay(options.clock, ms, stop.signal),
        connection.closed.then((error) => Promise.reject(error)),
      ]);
    } finally {
      stop.abort();
      signal.removeEventListener('abort', end);
      this.#wake = undefined;
      this.#woken = false;
    }
    if (signal.aborted) throw new HoldfastError('kernel.aborted');
  }

  #poke(): void {
    this.#woken = true;
    this.#wake?.();
  }
}
