import { encodeUtf8, HoldfastError, isJsonObject, type JsonValue, parseStrictJson } from '@holdfast/kernel';
import { decodeNrf5InitPacket, type Nrf5FirmwareType, type Nrf5InitPacket } from './init-packet.ts';
import { decodeZip, encodeZip } from './zip.ts';

/** One firmware of a package and what its init packet says. */
export interface Nrf5Firmware {
  readonly packet: Nrf5InitPacket;
  readonly image: Uint8Array;
}

const MANIFEST = 'manifest.json';
const MAX_MANIFEST = 4096;
/** The order in which hosts send the parts of a package, and the init packet types each may hold. */
const PARTS: readonly (readonly [string, readonly Nrf5FirmwareType[]])[] = [
  ['softdevice_bootloader', ['softdevice_bootloader']],
  ['softdevice', ['softdevice']],
  ['bootloader', ['bootloader']],
  ['application', ['application', 'external_application']],
];

/** Whether the bytes begin like a ZIP archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/**
 * Decodes a Secure DFU package: a ZIP archive with a manifest and, for each firmware, its binary and its init packet.
 *
 * @returns the firmwares in the order a device gets them.
 * @throws `boot.bad_header` for a size that is not the binary's or a manifest that disagrees with a packet, `wire.malformed`,
 * and the errors of the archive and the packet
 * @see pc-nrfutil nordicsemi/dfu/manifest.py, package.py
 */
export function decodeNrf5Package(bytes: Uint8Array): readonly Nrf5Firmware[] {
  const files = new Map(decodeZip(bytes).map(({ name, data }) => [name, data]));
  const take = (name: string): Uint8Array => {
    const data = files.get(name);
    if (data === undefined || !files.delete(name)) throw badManifest(name === MANIFEST ? MANIFEST : 'file');
    return data;
  };
  const manifest = readManifest(take(MANIFEST));
  const firmwares = manifest.map(({ types, binFile, datFile, sizes }) => {
    const firmware = { packet: decodeNrf5InitPacket(take(datFile)), image: take(binFile) };
    checkFirmware(firmware, types, sizes);
    return firmware;
  });
  // A file that no manifest names is room for a stranger's bytes.
  if (files.size > 0) throw badManifest('unnamed file');
  return firmwares;
}

interface ManifestPart {
  readonly types: readonly Nrf5FirmwareType[];
  readonly binFile: string;
  readonly datFile: string;
  readonly sizes: readonly [softdevice: number, bootloader: number] | undefined;
}

function readManifest(bytes: Uint8Array): ManifestPart[] {
  if (bytes.length > MAX_MANIFEST) throw new HoldfastError('wire.too_large', { field: MANIFEST, limit: MAX_MANIFEST });
  const whole = members(parseStrictJson(bytes), ['manifest']);
  const names = PARTS.map(([name]) => name);
  const manifest = members(whole['manifest'], names);
  const parts = PARTS.flatMap(([name, types]) => {
    const part = manifest[name];
    return part === undefined ? [] : [readPart(part, types)];
  });
  if (parts.length === 0) throw badManifest('empty');
  return parts;
}

function readPart(value: JsonValue, types: readonly Nrf5FirmwareType[]): ManifestPart {
  const combined = types[0] === 'softdevice_bootloader';
  const part = members(value, ['bin_file', 'dat_file', ...(combined ? ['info_read_only_metadata'] : [])]);
  const { bin_file: binFile, dat_file: datFile, info_read_only_metadata: info } = part;
  if (typeof binFile !== 'string' || typeof datFile !== 'string') throw badManifest('file name');
  return { types, binFile, datFile, sizes: info === undefined ? undefined : readSizes(info) };
}

function readSizes(value: JsonValue): [softdevice: number, bootloader: number] {
  const { sd_size: softdevice, bl_size: bootloader } = members(value, ['sd_size', 'bl_size']);
  if (typeof softdevice !== 'number' || typeof bootloader !== 'number') throw badManifest('sizes');
  return [softdevice, bootloader];
}

/** The bootloader takes sizes from the packet: each must be the binary's, and none may be left over. */
function checkFirmware(
  { packet, image }: Nrf5Firmware,
  types: readonly Nrf5FirmwareType[],
  sizes: ManifestPart['sizes'],
): void {
  const { type, applicationSize, softdeviceSize, bootloaderSize } = packet.command;
  if (!types.includes(type)) throw new HoldfastError('boot.bad_header', { field: 'type', type });
  const needed = {
    application: [applicationSize],
    external_application: [applicationSize],
    softdevice: [softdeviceSize],
    bootloader: [bootloaderSize],
    softdevice_bootloader: [softdeviceSize, bootloaderSize],
  }[type];
  const total = needed.reduce((sum, size) => sum + size, 0);
  const all = applicationSize + softdeviceSize + bootloaderSize;
  if (needed.includes(0) || total !== image.length || all !== total)
    throw new HoldfastError('boot.bad_header', { field: 'size', size: image.length });
  if (sizes !== undefined && (sizes[0] !== softdeviceSize || sizes[1] !== bootloaderSize))
    throw new HoldfastError('boot.bad_header', { field: 'manifest sizes' });
}

/** A package of one firmware as nrfutil lays it out. */
export function encodeNrf5Package(
  type: Nrf5FirmwareType,
  image: Uint8Array,
  initPacket: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const name = type === 'external_application' ? 'application' : type;
  const { command } = decodeNrf5InitPacket(initPacket);
  const part = {
    bin_file: `${name}.bin`,
    dat_file: `${name}.dat`,
    ...(type === 'softdevice_bootloader'
      ? { info_read_only_metadata: { bl_size: command.bootloaderSize, sd_size: command.softdeviceSize } }
      : {}),
  };
  const manifest = encodeUtf8(JSON.stringify({ manifest: { [name]: part } }, undefined, 4));
  return encodeZip([
    { name: MANIFEST, data: manifest },
    { name: part.dat_file, data: initPacket },
    { name: part.bin_file, data: image },
  ]);
}

type Members = { readonly [key: string]: JsonValue | undefined };

function members(value: JsonValue | undefined, allowed: readonly string[]): Members {
  if (!isJsonObject(value) || Object.keys(value).some((key) => !allowed.includes(key))) throw badManifest('member');
  return value;
}

function badManifest(reason: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field: MANIFEST, reason });
}
