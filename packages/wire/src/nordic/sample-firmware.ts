import { ByteWriter } from '@holdfast/kernel';

interface SampleFirmware {
  readonly size?: number;
  readonly version?: number;
  readonly offset?: number;
  readonly address?: number;
}

/** Firmware for an nRF53 with its information structure in it, as a build leaves it. */
export function nsibFirmware({
  size = 0x400,
  version = 1,
  offset = 0x200,
  address = 0x8000,
}: SampleFirmware = {}): Uint8Array {
  const info = new ByteWriter(60)
    .u32le(0x281ee6de)
    .u32le(0x8fcebb4c)
    .u32le(0x3502)
    .u32le(60)
    .u32le(size)
    .u32le(version);
  info
    .u32le(address)
    .u32le(address + 4)
    .u32le(0x9102ffff)
    .fill(0, 24);
  const firmware = new Uint8Array(size).map((_, index) => index * 7);
  firmware.set(info.finish(), offset);
  return firmware;
}
