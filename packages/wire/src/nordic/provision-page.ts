import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';

/** What the factory writes for the immutable bootloader, after the life cycle state and the implementation id. */
export interface NsibProvision {
  /** Flash addresses of the two slots. */
  readonly s0Address: number;
  readonly s1Address: number;
  /** First 16 bytes of the SHA-256 of X and Y; a valid image by one key ends all keys before it. */
  readonly keyHashes: readonly Uint8Array[];
  /** Slots for versions of NSIB's and of MCUboot's counter; 0 for none. */
  readonly counterSlots: { readonly nsib: number; readonly mcuboot: number };
}

/** Bytes before this structure that other tools write: life cycle state and implementation id. */
export const NSIB_PROVISION_OFFSET = 0x28;
const KEY_HASH_LENGTH = 16;
const UNUSED_TOKEN = 0xffffffff;
const MAX_KEYS = 16;
const MAX_SLOTS = 2048;
const COUNTERS = 1;
const DESCRIPTIONS = { nsib: 1, mcuboot: 2 } as const;
const NAMES = ['nsib', 'mcuboot'] as const;

/** @throws `boot.bad_option` for keys that are not 16 bytes each, doubled, or with a word that reads as erased */
export function encodeNsibProvision({
  s0Address,
  s1Address,
  keyHashes,
  counterSlots,
}: NsibProvision): Uint8Array<ArrayBuffer> {
  checkKeys(keyHashes, 'boot.bad_option');
  const writer = new ByteWriter(512).u32le(s0Address).u32le(s1Address).u32le(keyHashes.length);
  for (const hash of keyHashes) writer.u32le(UNUSED_TOKEN).bytes(hash);
  const counters = NAMES.filter((name) => counterSlots[name] > 0);
  if (counters.length === 0) return writer.finish();
  writer.u16le(COUNTERS).u16le(counters.length);
  for (const name of counters) {
    const slots = counterSlots[name];
    if (!Number.isInteger(slots) || slots > MAX_SLOTS)
      throw new HoldfastError('boot.bad_option', { option: 'counter slots' });
    writer
      .u16le(DESCRIPTIONS[name])
      .u16le(slots)
      .fill(0xff, 2 * slots);
  }
  return writer.finish();
}

/**
 * Decodes a page as it leaves the factory: no key ended, no counter used.
 *
 * @throws `wire.truncated`, `wire.trailing_bytes`, `boot.bad_header`
 * @see sdk-nrf scripts/bootloader/provision.py
 */
export function decodeNsibProvision(bytes: Uint8Array): NsibProvision {
  const reader = new ByteReader(bytes);
  const s0Address = reader.u32le('s0 address');
  const s1Address = reader.u32le('s1 address');
  const count = reader.u32le('key count');
  if (count > MAX_KEYS) throw new HoldfastError('boot.bad_header', { field: 'key count', limit: MAX_KEYS });
  const keyHashes = Array.from({ length: count }, () => {
    if (reader.u32le('token') !== UNUSED_TOKEN) throw new HoldfastError('boot.bad_header', { field: 'token' });
    return reader.take(KEY_HASH_LENGTH, 'key hash');
  });
  checkKeys(keyHashes, 'boot.bad_header');
  const counterSlots = reader.remaining === 0 ? { nsib: 0, mcuboot: 0 } : readCounters(reader);
  reader.end('provision page');
  return { s0Address, s1Address, keyHashes, counterSlots };
}

function readCounters(reader: ByteReader): NsibProvision['counterSlots'] {
  const slots = { nsib: 0, mcuboot: 0 };
  if (reader.u16le('collection') !== COUNTERS) throw new HoldfastError('boot.bad_header', { field: 'collection' });
  const count = reader.u16le('counters');
  let last = 0;
  for (let index = 0; index < count; index++) {
    const description = reader.u16le('counter');
    const name = NAMES.find((candidate) => DESCRIPTIONS[candidate] === description);
    slots[name ?? 'nsib'] = reader.u16le('slots');
    const erased = reader.take(2 * slots[name ?? 'nsib'], 'slots');
    const isNew = erased.length > 0 && erased.every((byte) => byte === 0xff);
    if (name === undefined || description <= last || !isNew)
      throw new HoldfastError('boot.bad_header', { field: 'counter' });
    last = description;
  }
  if (last === 0) throw new HoldfastError('boot.bad_header', { field: 'counters' });
  return slots;
}

/** A half word of 0xffff reads as not yet written in one-time memory (sdk-nrf provision.py). */
function checkKeys(hashes: readonly Uint8Array[], code: 'boot.bad_option' | 'boot.bad_header'): void {
  const seen = new Set<string>();
  for (const hash of hashes) {
    const isErased = hash.some((byte, at) => at % 2 === 0 && byte === 0xff && hash[at + 1] === 0xff);
    const text = hash.join();
    if (hash.length !== KEY_HASH_LENGTH || isErased || seen.has(text))
      throw new HoldfastError(code, { field: 'key hash', option: 'key' });
    seen.add(text);
  }
  if (hashes.length > MAX_KEYS) throw new HoldfastError(code, { field: 'key count', limit: MAX_KEYS });
}
