import { decodeHex, decodeUtf8, encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';

/** One image that a bundle installs. */
export interface RaucImage {
  /** Slot class, `rootfs` for instance. */
  readonly slot: string;
  readonly filename: string;
  readonly sha256: Uint8Array | undefined;
  readonly size: number | undefined;
}

/** How the hash tree of a bundle is checked. */
export interface RaucVerity {
  readonly rootHash: Uint8Array;
  readonly salt: Uint8Array;
  /** Bytes of the hash tree. */
  readonly treeSize: number;
}

export interface RaucManifest {
  readonly compatible: string;
  readonly version: string;
  readonly verity: RaucVerity;
  readonly images: readonly RaucImage[];
}

type Groups = ReadonlyMap<string, ReadonlyMap<string, string>>;

const MAX_MANIFEST = 65_536;
const GROUP = /^\[([A-Za-z0-9._-]{1,64})\]$/;
const ENTRY = /^([A-Za-z0-9-]{1,64})\s*=\s*(.*)$/;
const BLOCK = 4096;

/**
 * Decodes the manifest of a verity bundle.
 *
 * @throws `wire.malformed`, `wire.duplicate` for a group or key twice, `wire.unsupported` for another bundle format,
 * `wire.too_large`
 * @see RAUC docs/reference.rst, Manifest
 */
export function decodeRaucManifest(bytes: Uint8Array): RaucManifest {
  const groups = readGroups(bytes);
  const update = groups.get('update');
  const bundle = groups.get('bundle');
  const format = bundle?.get('format');
  // A plain bundle is checked, then read again from a file that may have changed (CVE-2020-25860).
  if (format !== 'verity')
    throw new HoldfastError('wire.unsupported', {
      field: 'bundle format',
      format: format === 'crypt' ? format : 'plain',
    });
  return {
    compatible: needed(update, 'compatible'),
    version: update?.get('version') ?? '',
    verity: {
      rootHash: hash(needed(bundle, 'verity-hash'), 'verity-hash'),
      salt: hash(needed(bundle, 'verity-salt'), 'verity-salt'),
      treeSize: treeSize(needed(bundle, 'verity-size')),
    },
    images: [...groups].flatMap(([name, group]) =>
      name.startsWith('image.') ? [readImage(name.slice(6), group)] : [],
    ),
  };
}

function readImage(slot: string, group: ReadonlyMap<string, string>): RaucImage {
  const [sha256, size] = [group.get('sha256'), group.get('size')];
  return {
    slot,
    filename: needed(group, 'filename'),
    sha256: sha256 === undefined ? undefined : hash(sha256, 'sha256'),
    size: size === undefined ? undefined : decimal(size, 'size'),
  };
}

/**
 * The manifest that a bundle carries: the author's, its `[bundle]` group in ours.
 *
 * @throws as the decoder; `boot.bad_option` when the author's has no `compatible`
 */
export function sealRaucManifest(
  author: Uint8Array,
  { rootHash, salt, treeSize: size }: RaucVerity,
): Uint8Array<ArrayBuffer> {
  const groups = readGroups(author);
  if (groups.get('update')?.get('compatible') === undefined)
    throw new HoldfastError('boot.bad_option', { option: 'manifest', reason: 'compatible' });
  // RAUC's own bundler writes them, and a device streams by them.
  const images = [...groups]
    .filter(([name]) => name.startsWith('image.'))
    .map(([name, group]) => readImage(name.slice(6), group));
  if (images.some((image) => image.sha256 === undefined || image.size === undefined))
    throw new HoldfastError('boot.bad_option', { option: 'manifest', reason: 'sha256 and size' });
  const verity = new Map([
    ['format', 'verity'],
    ['verity-hash', encodeHex(rootHash)],
    ['verity-salt', encodeHex(salt)],
    ['verity-size', String(size)],
  ]);
  const text = [...groups, ['bundle', verity] as const]
    .filter(([name, group]) => name !== 'bundle' || group === verity)
    .map(([name, group]) => `[${name}]\n${[...group].map(([key, value]) => `${key}=${value}\n`).join('')}`)
    .join('\n');
  return encodeUtf8(text);
}

function readGroups(bytes: Uint8Array): Groups {
  if (bytes.length > MAX_MANIFEST)
    throw new HoldfastError('wire.too_large', { field: 'manifest', limit: MAX_MANIFEST });
  const groups = new Map<string, Map<string, string>>();
  let group: Map<string, string> | undefined;
  for (const [index, raw] of decodeUtf8(bytes, 'manifest').split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const name = GROUP.exec(line)?.[1];
    if (name !== undefined) {
      if (groups.has(name)) throw new HoldfastError('wire.duplicate', { field: 'manifest group', line: index + 1 });
      group = new Map();
      groups.set(name, group);
      continue;
    }
    const [, key, value] = ENTRY.exec(line) ?? [];
    if (key === undefined || value === undefined || group === undefined)
      throw new HoldfastError('wire.malformed', { field: 'manifest', line: index + 1 });
    if (group.has(key)) throw new HoldfastError('wire.duplicate', { field: 'manifest key', line: index + 1 });
    group.set(key, value);
  }
  return groups;
}

function needed(group: ReadonlyMap<string, string> | undefined, key: string): string {
  const value = group?.get(key);
  if (value === undefined || value === '') throw malformed(key);
  return value;
}

function hash(text: string, field: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(text)) throw malformed(field);
  return decodeHex(text, field);
}

function treeSize(text: string): number {
  const size = decimal(text, 'verity-size');
  if (size === 0 || size % BLOCK !== 0) throw malformed('verity-size');
  return size;
}

function decimal(text: string, field: string): number {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) throw malformed(field);
  return Number(text);
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field, reason: 'manifest' });
}
