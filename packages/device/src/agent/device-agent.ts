import { HoldfastError, toHoldfastError } from '@holdfast/kernel';
import { renewalTime } from '../enroll/renewal.ts';
import { backoffMs, delay } from '../net/backoff.ts';
import { HttpsClient } from '../net/https-client.ts';
import { MqttConnection, type MqttConnectOptions } from '../net/mqtt-connection.ts';
import { type DeviceIdentity, IdentityStore } from '../store/identity-store.ts';
import { FileKeyStore } from '../keys/file-key-store.ts';
import type { KeyStore } from '../keys/key-store.ts';
import type { BootResult } from '@holdfast/crypto/virtual-chip';
import { DeviceRecords } from './device-records.ts';
import { Enroller } from './enroller.ts';
import type { ResetReason } from './events.ts';
import { Session, type SessionEnd } from './session.ts';
import { type AgentOptions, type AgentTimings, DEFAULT_TIMINGS } from './settings.ts';

/** A session shorter than this counts as a failed attempt, so that a rejected device does not hammer the server. */
const SETTLED_MS = 30_000;

const RENEW_AGAIN_MS = 3_600_000;

/** One boot of the device. */
interface Life {
  readonly boot: BootResult;
  readonly bootedAt: number;
  readonly finished: Set<string>;
}

/**
 * The firmware's side of Holdfast: enroll, connect, prove, update, prove again; for ever.
 *
 * What runs after a reset is decided by the boot stages alone; the agent only asks.
 */
export class DeviceAgent {
  readonly #options: AgentOptions;
  readonly #timings: AgentTimings;
  readonly #records: DeviceRecords;
  readonly #identities: IdentityStore;
  #renewNotBefore = 0;

  constructor(options: AgentOptions, keys: KeyStore = new FileKeyStore(options.store)) {
    this.#options = options;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#records = new DeviceRecords(options.store);
    this.#identities = new IdentityStore(options.store, keys);
  }

  /**
   * Runs until the signal stops it.
   *
   * @throws `device.not_enrolled` when there is neither a certificate nor a claim
   */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const reason = await this.#live(signal);
      if (reason === undefined) return;
      this.#options.onEvent?.({ kind: 'reset', reason });
      if (reason === 'power-lost') await delay(this.#options.clock, this.#timings.powerReturnMs, signal);
    }
  }

  /** From boot to reset. @returns undefined when stopped */
  async #live(signal: AbortSignal): Promise<ResetReason | undefined> {
    try {
      const life = this.#boot();
      const { boot } = life;
      if (boot.kind === 'application' && !this.#passesSelfTest(boot)) return 'self-test-failed';
      if (boot.kind === 'application') this.#options.platform.markAlive();
      return await this.#stayOnline(life, signal);
    } catch (error) {
      if (HoldfastError.is(error, 'device.power_cut')) return 'power-lost';
      if (HoldfastError.is(error, 'kernel.aborted')) return undefined;
      throw error;
    }
  }

  #boot(): Life {
    const { platform, clock, onEvent } = this.#options;
    const boot = platform.boot();
    const { version, bootState } = boot.descriptor;
    onEvent?.({
      kind: 'booted',
      mode: boot.kind,
      version,
      bootState,
      securityCounter: platform.securityCounter,
      ...(boot.kind === 'safe-mode' ? { code: boot.code } : {}),
    });
    this.#noteTrial(boot);
    return { boot, bootedAt: clock.monotonicMs(), finished: new Set() };
  }

  /** Written before anything can fail: a later boot of the old image then knows that the new one had its chance. */
  #noteTrial(boot: BootResult): void {
    const pending = this.#records.pending.load();
    if (boot.descriptor.bootState === 'test' && pending?.phase === 'staged') {
      this.#records.pending.save({ ...pending, phase: 'trial' });
    }
  }

  #passesSelfTest(boot: BootResult): boolean {
    const { version, bootState } = boot.descriptor;
    if (this.#options.selfTest?.(version) !== false) return true;
    const pending = this.#records.pending.load();
    if (bootState === 'test' && pending !== undefined) {
      this.#records.pending.save({ ...pending, failure: 'device.self_test_failed' });
    }
    return false;
  }

  /** Connects again and again until a session asks for a reset, or the trial has run out. */
  async #stayOnline(life: Life, signal: AbortSignal): Promise<ResetReason> {
    const { clock, random } = this.#options;
    const { trialMs, reconnect } = this.#timings;
    const isTrial = life.boot.descriptor.bootState === 'test';
    for (let attempt = 0; ; attempt++) {
      const began = clock.monotonicMs();
      const end = await this.#attempt(life, signal);
      if (end?.kind === 'reset') return this.#noteEnd(end.reason);
      if (signal.aborted) throw new HoldfastError('kernel.aborted');
      if (isTrial && clock.monotonicMs() - life.bootedAt >= trialMs) return this.#noteEnd('proof-refused');
      if (end?.kind === 'renew' || clock.monotonicMs() - began > SETTLED_MS) attempt = 0;
      const wait = backoffMs(attempt, random, reconnect);
      const left = isTrial ? Math.max(life.bootedAt + trialMs - clock.monotonicMs(), 0) : wait;
      if (end === undefined) await delay(clock, Math.min(wait, left), signal);
    }
  }

  #noteEnd(reason: ResetReason): ResetReason {
    const pending = this.#records.pending.load();
    if (reason === 'proof-refused' && pending !== undefined) {
      this.#records.pending.save({ ...pending, failure: 'device.proof_refused' });
    }
    return reason;
  }

  /** One enrollment, renewal or session. @returns undefined after a failure that time may mend */
  async #attempt(life: Life, signal: AbortSignal): Promise<SessionEnd | undefined> {
    try {
      return await this.#session(await this.#identity(life, signal), life, signal);
    } catch (error) {
      const { code, details } = toHoldfastError(error);
      if (FATAL.has(code) || !HoldfastError.is(error)) throw error;
      this.#options.onEvent?.({
        kind: 'disconnected',
        code,
        reason: String(details['reason'] ?? details['code'] ?? ''),
      });
      this.#options.log.info('the device lost the server', { code });
      return undefined;
    }
  }

  async #identity({ boot }: Life, signal: AbortSignal): Promise<DeviceIdentity> {
    const kept = await this.#identities.load();
    if (kept !== undefined) return kept;
    // No key is made while nothing but the boot stages can vouch for the device.
    if (boot.kind === 'safe-mode') throw new HoldfastError('device.not_enrolled', { mode: boot.kind });
    const identity = await this.#enroller().enroll(signal);
    const { deviceId, certificate } = identity;
    this.#options.onEvent?.({ kind: 'enrolled', deviceId, notAfter: certificate.validity.notAfter });
    return identity;
  }

  async #session(identity: DeviceIdentity, life: Life, signal: AbortSignal): Promise<SessionEnd> {
    const { server, mqttVersion, clock, random, onEvent } = this.#options;
    const { deviceId, certificatePem, key, certificate } = identity;
    const proof = () => this.#records.ratchet.proof();
    const credentials = { anchors: this.#records.trust().tlsAnchors, certificatePem, key, proof };
    const https = new HttpsClient(credentials, clock, this.#timings.replyMs);
    const where = { host: server.host, port: server.mqttPort, credentials, clientId: deviceId, version: mqttVersion };
    const connection = await this.#open({ ...where, timeoutMs: this.#timings.replyMs, clock }, signal);
    const renewAt = Math.max(renewalTime(certificate.validity, random), this.#renewNotBefore);
    const stop = (): void => connection.close();
    signal.addEventListener('abort', stop, { once: true });
    onEvent?.({ kind: 'connected', deviceId });
    try {
      const session = new Session({
        ...life,
        options: this.#options,
        timings: this.#timings,
        records: this.#records,
        connection,
        https,
        thing: deviceId,
        renewAt,
        renewNotBefore: this.#renewNotBefore,
      });
      const end = await session.run(signal);
      if (end.kind === 'renew') await this.#renew(identity, signal);
      return end;
    } catch (error) {
      if (HoldfastError.is(error, 'device.power_cut')) connection.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      connection.close();
      https.close();
    }
  }

  /** A renewed certificate that the server does not take must not cost the device the one it had. */
  async #open(options: MqttConnectOptions, signal: AbortSignal): Promise<MqttConnection> {
    try {
      const connection = await MqttConnection.open(options, signal);
      await this.#identities.confirm();
      return connection;
    } catch (error) {
      if (HoldfastError.is(error, 'device.connection_refused')) this.#identities.tryOther();
      throw error;
    }
  }

  /** A renewal that fails must not keep the device from its work: the old certificate is good for a third of its life. */
  async #renew(identity: DeviceIdentity, signal: AbortSignal): Promise<void> {
    const { clock, log, onEvent } = this.#options;
    try {
      const { deviceId, certificate } = await this.#enroller().renew(identity, signal);
      onEvent?.({ kind: 'renewed', deviceId, notAfter: certificate.validity.notAfter });
    } catch (error) {
      const { code } = toHoldfastError(error);
      if (FATAL.has(code) || !HoldfastError.is(error)) throw error;
      this.#renewNotBefore = clock.now() + RENEW_AGAIN_MS;
      log.warn('the certificate could not be renewed', { code });
    }
  }

  #enroller(): Enroller {
    return new Enroller(this.#options, this.#identities, this.#records, this.#timings.replyMs);
  }
}

const FATAL: ReadonlySet<string> = new Set([
  'device.power_cut',
  'device.not_enrolled',
  'device.folder_damaged',
  'device.flash_refused',
  'kernel.aborted',
  'kernel.internal',
]);
