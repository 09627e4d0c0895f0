import {
  type AgentEvent,
  type DeviceIdentity,
  type EnrollmentPlan,
  FileKeyStore,
  IdentityStore,
  type ManufacturedDevice,
  runVirtualDevice,
  type ServerAddress,
  type VirtualDeviceRun,
} from '@holdfast/device';
import { HoldfastError, systemClock } from '@holdfast/kernel';
import { until } from './waiting.ts';

const TIMINGS = {
  trialMs: 60_000,
  replyMs: 15_000,
  pollMs: 1000,
  powerReturnMs: 200,
  reconnect: { baseMs: 50, maxMs: 1000 },
};

export type HubRun = Pick<VirtualDeviceRun, 'mqttVersion' | 'transport' | 'selfTest'>;

/** A virtual device that can be switched on and off, with everything it said. */
export class Hub {
  readonly made: ManufacturedDevice;
  readonly events: AgentEvent[] = [];
  readonly #server: ServerAddress;
  readonly #options: HubRun;
  #onEvent: ((event: AgentEvent) => void) | undefined;
  #running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  constructor(made: ManufacturedDevice, server: ServerAddress, options: HubRun) {
    this.made = made;
    this.#server = server;
    this.#options = options;
  }

  get id(): string {
    return this.made.profile.serial;
  }

  /** Hears every event as it happens, before the device goes on. */
  watch(onEvent: ((event: AgentEvent) => void) | undefined): void {
    this.#onEvent = onEvent;
  }

  /** Gets the first certificate, and stops there. */
  async enroll(enrollment: EnrollmentPlan): Promise<DeviceIdentity> {
    const stop = new AbortController();
    const watch = (event: AgentEvent): void => {
      if (event.kind === 'enrolled') stop.abort();
      if (event.kind === 'disconnected') stop.abort(new HoldfastError(event.code, { reason: event.reason }));
    };
    await runVirtualDevice({ ...this.#run(watch), enrollment }, stop.signal);
    if (HoldfastError.is(stop.signal.reason)) throw stop.signal.reason;
    return this.identity();
  }

  /** The certificate and key it holds. @throws `device.not_enrolled` */
  async identity(): Promise<DeviceIdentity> {
    const identity = await new IdentityStore(this.made.store, new FileKeyStore(this.made.store)).load();
    if (identity === undefined) throw new HoldfastError('device.not_enrolled');
    return identity;
  }

  /** Switches it on: it connects, proves itself, and does what it is sent. */
  start(): void {
    const stop = new AbortController();
    const done = runVirtualDevice(this.#run(), stop.signal);
    // A device that fails is seen by what it no longer does, and by `stop`.
    done.catch(() => undefined);
    this.#running = { stop, done };
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.stop.abort();
    await running?.done;
  }

  /** Waits for an event that comes after the first `from` ones. */
  until(what: string, from: number, isIt: (event: AgentEvent) => boolean, signal: AbortSignal): Promise<AgentEvent> {
    const ask = async () => this.events.slice(from).find(isIt);
    return until(`${this.id}: ${what}`, ask, { clock: systemClock, signal });
  }

  #run(watch?: (event: AgentEvent) => void): VirtualDeviceRun {
    return {
      ...this.#options,
      device: this.made,
      server: this.#server,
      timings: TIMINGS,
      onEvent: (event) => {
        this.events.push(event);
        watch?.(event);
        this.#onEvent?.(event);
      },
    };
  }
}
