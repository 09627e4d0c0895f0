import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { encodeHex, HoldfastError, type Random, systemRandom } from '@holdfast/kernel';
import { makeUeid } from '@holdfast/wire/eat';
import type { TrustAnchors } from '@holdfast/wire/manifest';
import { decodeMcubootImage, formatVersion } from '@holdfast/wire/mcuboot';
import { DeviceRecords } from '../agent/device-records.ts';
import type { DeviceProfile } from '../agent/platform.ts';
import { type DeviceStore, FileStore, MemoryStore } from '../store/device-store.ts';
import { JsonRecord } from '../store/json-record.ts';
import { VirtualDevice } from '../virtual/device.ts';
import type { BoardName } from '@holdfast/crypto/virtual-chip';

export interface FactoryOrder {
  readonly tenant: string;
  readonly product: string;
  readonly hardwareRevision: string;
  readonly serial: string;
  readonly board: BoardName;
  /** MCUboot image around `encodeBootProgram`, signed with the key of `trust.bootKey`. */
  readonly bootloader: Uint8Array;
  /** MCUboot image of the first firmware, signed with a key the bootloader names. */
  readonly firmware: Uint8Array;
  readonly trust: TrustAnchors;
  /** Folder to make; without one the device lives in memory. */
  readonly folder?: string;
  readonly random?: Random;
}

/** A new device, and what the registry is told of it. */
export interface ManufacturedDevice {
  readonly device: VirtualDevice;
  readonly store: DeviceStore;
  readonly profile: DeviceProfile;
  /** SubjectPublicKeyInfo (DER) that evidence of this device must lead to. */
  readonly attestationAnchor: Uint8Array;
}

interface DeviceRecord extends DeviceProfile {
  readonly board: BoardName;
}

/**
 * The factory step: boot chain and first firmware installed, fuses burnt with a secret made on the device, trust
 * anchors written. It is the only writer of any of these.
 *
 * @throws `device.folder_exists`; `boot.*` for a firmware that is no image
 */
export function manufactureDevice(order: FactoryOrder): ManufacturedDevice {
  const { folder, board, random = systemRandom, tenant, product, hardwareRevision, serial } = order;
  if (folder !== undefined && existsSync(join(folder, 'device.json'))) throw new HoldfastError('device.folder_exists');
  const image = decodeMcubootImage(order.firmware);
  if (folder !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const store = folder === undefined ? new MemoryStore() : new FileStore(folder);
  const device = new VirtualDevice({ board, ...(folder === undefined ? {} : { folder }) });
  const { bootloader, firmware, trust } = order;
  const attestationAnchor = device.manufacture({ bootPublicKey: trust.bootKey, bootloader, firmware }, random);
  const ueid = encodeHex(makeUeid(random.bytes(16)));
  const profile = { tenant, product, hardwareRevision, serial, ueid };
  const records = new DeviceRecords(store);
  records.installTrust(trust);
  records.installed.save({
    sequence: 0,
    version: formatVersion(image.header.version),
    imageSha256: createHash('sha256').update(firmware).digest('hex'),
  });
  // Last: a folder with this file is a whole device.
  new JsonRecord<DeviceRecord>(store, 'device.json').save({ ...profile, board });
  return { device, store, profile, attestationAnchor };
}

/** Opens the folder of a device. @throws `device.folder_damaged` */
export function openDevice(folder: string): Omit<ManufacturedDevice, 'attestationAnchor'> {
  const store = new FileStore(folder);
  const record = new JsonRecord<DeviceRecord>(store, 'device.json').load();
  if (record === undefined) throw new HoldfastError('device.folder_damaged', { file: 'device.json' });
  const { board, ...profile } = record;
  return { device: new VirtualDevice({ board, folder }), store, profile };
}
