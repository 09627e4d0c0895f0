import { decodeHex, decodeUtf8, HoldfastError, isJsonObject, type JsonValue, parseStrictJson } from '@holdfast/kernel';
import { parseLibconfig } from './libconfig.ts';

/** A file that the description lets a device install. */
export interface SwuFile {
  readonly filename: string;
  /** Of the file as it lies in the archive. */
  readonly sha256: Uint8Array;
}

export interface SwuDescription {
  readonly version: string;
  /** Hardware revisions it is for, from every level of the description. */
  readonly hardware: readonly string[];
  /** Each file once. */
  readonly files: readonly SwuFile[];
}

export const SWU_DESCRIPTION = 'sw-description';
export const SWU_SIGNATURE = 'sw-description.sig';
export const MAX_SWU_DESCRIPTION = 262_144;
const MAX_FILES = 256;
const MAX_DEPTH = 16;
const LISTS: readonly string[] = ['images', 'files', 'scripts'];

/**
 * Decodes a description, in libconfig or JSON: version, hardware and files of every section.
 *
 * @throws `boot.hash_missing` for a file without its SHA-256, which a signed build refuses; `wire.malformed`,
 * `wire.duplicate` for one file under two hashes, `wire.too_large`, `wire.unsupported` for an include or an external parser
 * @see SWUpdate doc/source/sw-description.rst
 */
export function decodeSwuDescription(bytes: Uint8Array): SwuDescription {
  if (bytes.length > MAX_SWU_DESCRIPTION)
    throw new HoldfastError('wire.too_large', { field: SWU_DESCRIPTION, limit: MAX_SWU_DESCRIPTION });
  const text = decodeUtf8(bytes, SWU_DESCRIPTION);
  if (/^\s*@include/m.test(text)) throw new HoldfastError('wire.unsupported', { field: '@include' });
  const root = /^\s*\{/.test(text) ? parseStrictJson(text) : parseLibconfig(text);
  const software = isJsonObject(root) ? root['software'] : undefined;
  if (!isJsonObject(software)) throw malformed('software');
  const version = software['version'];
  if (typeof version !== 'string') throw malformed('version');
  const found = { files: new Map<string, SwuFile>(), hardware: new Set<string>() };
  collect(software, found, 0);
  return { version, hardware: [...found.hardware], files: [...found.files.values()] };
}

interface Found {
  readonly files: Map<string, SwuFile>;
  readonly hardware: Set<string>;
}

/** Sections nest by board, by set and by mode; what they list is installed from the same archive. */
function collect(group: { readonly [name: string]: JsonValue }, found: Found, depth: number): void {
  if (depth === MAX_DEPTH) throw new HoldfastError('wire.too_large', { field: 'sections', limit: MAX_DEPTH });
  for (const [name, value] of Object.entries(group)) {
    if (isJsonObject(value)) collect(value, found, depth + 1);
    if (!Array.isArray(value)) continue;
    if (name === 'hardware-compatibility')
      for (const item of value) if (typeof item === 'string') found.hardware.add(item);
    if (LISTS.includes(name)) for (const item of value) addFile(item, found.files);
  }
}

function addFile(value: JsonValue, files: Map<string, SwuFile>): void {
  if (!isJsonObject(value)) throw malformed('file');
  const { filename, sha256 } = value;
  if (typeof filename !== 'string') throw malformed('filename');
  if (typeof sha256 !== 'string') throw new HoldfastError('boot.hash_missing', { field: 'sha256' });
  if (!/^[0-9a-fA-F]{64}$/.test(sha256)) throw malformed('sha256');
  const before = files.get(filename);
  const hash = decodeHex(sha256.toLowerCase(), 'sha256');
  if (before !== undefined && before.sha256.join() !== hash.join())
    throw new HoldfastError('wire.duplicate', { field: 'filename' });
  if (files.size === MAX_FILES) throw new HoldfastError('wire.too_large', { field: 'files', limit: MAX_FILES });
  files.set(filename, { filename, sha256: hash });
}

function malformed(reason: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field: SWU_DESCRIPTION, reason });
}
