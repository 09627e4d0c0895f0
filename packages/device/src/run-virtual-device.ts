import { type Clock, type Log, type Random, silentLog, systemClock, systemRandom } from '@holdfast/kernel';
import type { MqttVersion } from '@holdfast/wire/mqtt';
import { DeviceAgent } from './agent/device-agent.ts';
import type { AgentEvent } from './agent/events.ts';
import type { AgentTimings, EnrollmentPlan, ServerAddress, Transport } from './agent/settings.ts';
import { type ManufacturedDevice, openDevice } from './factory/manufacture.ts';

export interface VirtualDeviceRun {
  /** Folder of a device, or a device that was just made. */
  readonly device: string | Omit<ManufacturedDevice, 'attestationAnchor'>;
  readonly server: ServerAddress;
  /** Needed until the device has its first certificate. */
  readonly enrollment?: EnrollmentPlan;
  /** 5 unless given. */
  readonly mqttVersion?: MqttVersion;
  /** `mqtt-cbor` unless given. */
  readonly transport?: Transport;
  readonly timings?: Partial<AgentTimings>;
  readonly selfTest?: (version: string) => boolean;
  readonly onEvent?: (event: AgentEvent) => void;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
}

/**
 * Runs a virtual device until the signal stops it, through any number of resets.
 *
 * @throws `device.folder_damaged`, `device.not_enrolled`
 */
export async function runVirtualDevice(run: VirtualDeviceRun, signal: AbortSignal): Promise<void> {
  const { device, store, profile } = typeof run.device === 'string' ? openDevice(run.device) : run.device;
  const { enrollment, timings, selfTest, onEvent } = run;
  device.onBootEvent = (step) => onEvent?.({ kind: 'boot-step', step });
  const agent = new DeviceAgent({
    platform: device,
    profile,
    store,
    server: run.server,
    mqttVersion: run.mqttVersion ?? 5,
    transport: run.transport ?? 'mqtt-cbor',
    clock: run.clock ?? systemClock,
    random: run.random ?? systemRandom,
    log: run.log ?? silentLog,
    ...(enrollment === undefined ? {} : { enrollment }),
    ...(timings === undefined ? {} : { timings }),
    ...(selfTest === undefined ? {} : { selfTest }),
    ...(onEvent === undefined ? {} : { onEvent }),
  });
  try {
    await agent.run(signal);
  } finally {
    if (typeof run.device === 'string') device.close();
  }
}
