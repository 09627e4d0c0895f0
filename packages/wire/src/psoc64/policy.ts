import { HoldfastError, isJsonObject, type JsonValue, parseStrictJson } from '@holdfast/kernel';

/** A range of the address space; bytes. */
export interface Psoc64Region {
  readonly address: number;
  readonly size: number;
}

/** One image that CyBootloader starts or hands on, as the policy describes it. */
export interface Psoc64Slot {
  /** 1 for the first core or both, 16 for the second. */
  readonly id: number;
  readonly bootKeyIds: readonly number[];
  /** Number of the monotonic counter that holds its rollback counter. */
  readonly monotonic: number;
  readonly rollbackCounter: number;
  readonly version: string;
  readonly upgradeMode: 'overwrite' | 'swap';
  readonly encrypted: boolean;
  readonly boot: Psoc64Region;
  /** Where updates are put; undefined when the image is not updated. */
  readonly upgrade: Psoc64Region | undefined;
  /** Updates wait in the external memory behind this interface; 0 for none. */
  readonly smifId: number;
}

export interface Psoc64Policy {
  readonly slots: readonly Psoc64Slot[];
}

const MAX_POLICY = 65_536;
const BOOTLOADER_ID = 0;
const SECOND_CORE_ID = 16;
const SECOND_CORE_COUNTERS = 8;
const MAX_COUNTER_NUMBER = 15;
const MAX_SLOTS = 16;
const FLASH: Psoc64Region = { address: 0x1000_0000, size: 0x20_0000 };
const EXTERNAL: Psoc64Region = { address: 0x1800_0000, size: 0x800_0000 };
const MAX_SMIF = 4;

/**
 * Reads and checks a device policy, as far as signing depends on it.
 *
 * @throws `boot.bad_policy` with the slot and the rule it breaks, `wire.malformed`, `wire.duplicate`, `wire.too_large`
 * @see cysecuretools targets/common/mxs40v1/policy_validator.py
 */
export function decodePsoc64Policy(bytes: Uint8Array): Psoc64Policy {
  if (bytes.length > MAX_POLICY) throw new HoldfastError('wire.too_large', { field: 'policy', limit: MAX_POLICY });
  const firmware = list(member(member(parseStrictJson(bytes), 'boot_upgrade'), 'firmware'));
  if (firmware.length > MAX_SLOTS) throw bad('firmware', MAX_SLOTS);
  const bootloader = firmware.find((slot) => member(slot, 'id') === BOOTLOADER_ID);
  if (bootloader === undefined) throw bad('bootloader', BOOTLOADER_ID);
  const upgradeMode = member(bootloader, 'upgrade_mode') === 'swap' ? 'swap' : 'overwrite';
  const others = firmware.filter((slot) => slot !== bootloader);
  const slots = others.map((slot) => readSlot(slot, upgradeMode));
  if (!slots.some(({ id }) => id === member(bootloader, 'launch'))) throw bad('launch', BOOTLOADER_ID);
  checkSlots(
    slots,
    others.some((slot) => member(slot, 'multi_image') !== undefined),
  );
  return { slots };
}

function readSlot(value: JsonValue, upgradeMode: Psoc64Slot['upgradeMode']): Psoc64Slot {
  const id = count(member(value, 'id'), 'id', 0);
  const bootKeyIds = list(member(value, 'boot_auth')).map((key) => count(key, 'boot_auth', id));
  const known = list(member(value, 'boot_keys')).map((key) => member(key, 'kid'));
  if (bootKeyIds.length === 0 || bootKeyIds.some((key) => !known.includes(key))) throw bad('boot_auth', id);
  const resources = list(member(value, 'resources'));
  const boot = region(resources, 'BOOT', id);
  const upgrade = member(value, 'upgrade') === true ? region(resources, 'UPGRADE', id) : undefined;
  if (boot === undefined || (member(value, 'upgrade') === true && upgrade === undefined)) throw bad('resources', id);
  const version = member(value, 'version');
  if (typeof version !== 'string') throw bad('version', id);
  const slot = {
    id,
    bootKeyIds,
    monotonic: count(member(value, 'monotonic'), 'monotonic', id),
    rollbackCounter: count(member(value, 'rollback_counter'), 'rollback_counter', id),
    version,
    upgradeMode,
    encrypted: member(value, 'encrypt') === true,
    boot,
    upgrade,
    smifId: count(member(value, 'smif_id'), 'smif_id', id),
  };
  checkSlot(slot);
  return slot;
}

function checkSlot({ id, monotonic, boot, upgrade, smifId }: Psoc64Slot): void {
  const lowest = id === SECOND_CORE_ID ? SECOND_CORE_COUNTERS : 0;
  if (monotonic < lowest || monotonic > MAX_COUNTER_NUMBER) throw bad('monotonic', id);
  if (smifId > MAX_SMIF) throw bad('smif_id', id);
  if (!isWithin(boot, FLASH)) throw bad('BOOT address', id);
  if (upgrade === undefined) return;
  const isExternal = isWithin(upgrade, EXTERNAL);
  if (!isExternal && !isWithin(upgrade, FLASH)) throw bad('UPGRADE address', id);
  if (isExternal && smifId === 0) throw bad('smif_id', id);
  if (overlaps(boot, upgrade)) throw bad('UPGRADE overlaps BOOT', id);
  // The bootloader copies slot over slot.
  if (boot.size !== upgrade.size) throw bad('UPGRADE size', id);
}

/** @param separate - each image is started on its own, so that none may lie within another. */
function checkSlots(slots: readonly Psoc64Slot[], separate: boolean): void {
  for (const [index, slot] of slots.entries()) {
    for (const other of slots.slice(0, index)) {
      if (other.id === slot.id) throw bad('id', slot.id);
      if (separate && other.monotonic === slot.monotonic) throw bad('monotonic', slot.id);
      if (separate && regionsOf(slot).some((one) => regionsOf(other).some((two) => overlaps(one, two))))
        throw bad('overlap', slot.id);
    }
  }
}

function regionsOf({ boot, upgrade }: Psoc64Slot): Psoc64Region[] {
  return upgrade === undefined ? [boot] : [boot, upgrade];
}

function region(resources: readonly JsonValue[], type: string, id: number): Psoc64Region | undefined {
  const found = resources.filter((resource) => member(resource, 'type') === type);
  if (found.length > 1) throw bad(type, id);
  const [resource] = found;
  if (resource === undefined) return undefined;
  const size = count(member(resource, 'size'), `${type} size`, id);
  if (size === 0) throw bad(`${type} size`, id);
  return { address: count(member(resource, 'address'), `${type} address`, id), size };
}

function isWithin(inner: Psoc64Region, outer: Psoc64Region): boolean {
  return inner.address >= outer.address && inner.address + inner.size <= outer.address + outer.size;
}

function overlaps(one: Psoc64Region, other: Psoc64Region): boolean {
  return one.address < other.address + other.size && other.address < one.address + one.size;
}

function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function count(value: JsonValue | undefined, rule: string, slot: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0xffffffff) throw bad(rule, slot);
  return value;
}

function bad(rule: string, slot: number): HoldfastError {
  return new HoldfastError('boot.bad_policy', { slot, rule });
}
