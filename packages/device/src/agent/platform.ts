import type { Slot } from '../update/slot-writer.ts';
import type { BootResult } from '@holdfast/crypto/virtual-chip';

/** The hardware as the agent needs it; the virtual device is one. */
export interface DevicePlatform {
  /** Resets the device and runs its boot stages. @throws `device.power_cut` */
  boot(): BootResult;
  /** What runs is up: the application, or in safe mode the part that took an update. */
  markAlive(): void;
  readonly updateSlot: Slot & {
    /** The next reset boots the image in the slot on trial. */
    requestTest(): void;
    /** Keeps the running image. */
    confirm(): void;
  };
  /** Counter in the fuses. */
  readonly securityCounter: number;
  /** The highest the fuses can hold. */
  readonly maxSecurityCounter: number;
  readonly maxSectorErases: number;
}

/** What the factory made the device to be. */
export interface DeviceProfile {
  readonly tenant: string;
  readonly product: string;
  readonly hardwareRevision: string;
  readonly serial: string;
  /** RFC 9711 UEID, lower-case hex. */
  readonly ueid: string;
}
