import type { ErrorCode } from '@holdfast/kernel';
import type { Hub } from '../hub.ts';

const BLOCK = 4096;

export interface FlashAttempt {
  /** Why the bootloader refused the image; undefined when it took it. */
  readonly refusedWith: ErrorCode | undefined;
  /** Version that runs afterwards. */
  readonly runs: string;
}

/** Writes an image past every check of the agent, straight into the update slot, and resets the device. */
export function flashAndReset({ made }: Hub, image: Uint8Array): FlashAttempt {
  const { device } = made;
  let refusedWith: ErrorCode | undefined;
  device.onBootEvent = (event) => {
    if (event.kind === 'image-refused' && event.slot === 'secondary') refusedWith ??= event.code;
  };
  device.updateSlot.prepare(image.length);
  for (let at = 0; at < image.length; at += BLOCK) device.updateSlot.write(at, image.subarray(at, at + BLOCK));
  device.updateSlot.requestTest();
  const { kind, descriptor } = device.boot();
  device.onBootEvent = undefined;
  device.markAlive();
  return { refusedWith, runs: kind === 'application' ? descriptor.version : kind };
}
