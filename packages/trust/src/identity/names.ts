import { HoldfastError } from '@holdfast/kernel';
import type { DeviceId, Sha256Hex, Tenant } from '../ports/index.ts';

/** AWS thing names; no character that a topic filter, a path or a distinguished name gives a meaning. */
const DEVICE_NAME = /^[a-zA-Z0-9:_-]{1,128}$/;
const MAX_GROUPS = 64;
const GROUP_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;
const MAX_ATTRIBUTES = 50;
const ATTRIBUTE_NAME = /^[a-zA-Z0-9_.,@/:#-]{1,128}$/;
const MAX_ATTRIBUTE_VALUE = 800;

/** @throws `identity.bad_device_name` */
export function checkDeviceName(name: string): DeviceId {
  if (!DEVICE_NAME.test(name)) throw new HoldfastError('identity.bad_device_name');
  return name;
}

/** @throws `identity.bad_device_name` */
export function checkGroupName(name: string): string {
  if (!GROUP_NAME.test(name)) throw new HoldfastError('identity.bad_device_name');
  return name;
}

/** @throws `identity.bad_device_name`; `request.invalid` for too many */
export function checkGroupNames(names: readonly string[] = []): readonly string[] {
  if (names.length > MAX_GROUPS) throw new HoldfastError('request.invalid', { field: 'groups', limit: MAX_GROUPS });
  return names.map(checkGroupName);
}

/** The limits of AWS thing attributes. @throws `request.invalid` */
export function checkAttributes(attributes: Readonly<Record<string, string>>): void {
  const entries = Object.entries(attributes);
  const isGood =
    entries.length <= MAX_ATTRIBUTES &&
    entries.every(([name, value]) => ATTRIBUTE_NAME.test(name) && value.length <= MAX_ATTRIBUTE_VALUE);
  if (!isGood) throw new HoldfastError('request.invalid', { field: 'attributes' });
}

/** The serial number of a device that named none: the product and 64 bits of its key. */
export function assignedSerialNumber(product: string, spkiSha256: Sha256Hex): string {
  return `${product}-${spkiSha256.slice(0, 16)}`;
}

/** The SAN URI of a device certificate; the registry alone writes it. */
export function deviceUri(tenant: Tenant, deviceId: DeviceId): string {
  return `urn:holdfast:${tenant}:device:${deviceId}`;
}

/** The SAN URI of a claim certificate. */
export function claimUri(tenant: Tenant, claimId: string): string {
  return `urn:holdfast:${tenant}:claim:${claimId}`;
}
