import {
  linkSync,
  openSync,
  closeSync,
  fsyncSync,
  readFileSync,
  realpathSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { decodeBase64, decodeHex, encodeHex, HoldfastError, type Random } from '@holdfast/kernel';

const KEY_LENGTH = 32;
const PRIVATE_MODE = 0o600;
const OTHERS = 0o077;

export interface RootKeyRequest {
  /** `file:PATH`, `env:NAME` or `systemd:NAME`; undefined is the file beside the data folder. */
  readonly reference: string | undefined;
  readonly dataFolder: string;
  /** Whether the data folder holds nothing yet: only then is a missing default key made. */
  readonly fresh: boolean;
  readonly random: Random;
  /** The environment; an `env:` key is removed from it, so that no child process inherits it. */
  readonly environment: Record<string, string | undefined>;
}

export interface RootKey {
  /** 32 bytes. */
  readonly bytes: Uint8Array;
  /** Where it came from, for the banner and doctor; never the key. */
  readonly source: string;
  readonly created: boolean;
}

/** The default place: beside the data folder, so that a backup of the folder does not hold it. */
function defaultRootKeyPath(dataFolder: string): string {
  return `${path.resolve(dataFolder)}.root-key`;
}

/**
 * Reads the root key, or makes the default one at the very first start.
 *
 * @throws `storage.root_key_missing`, `storage.root_key_invalid`, `storage.root_key_exposed`, `storage.root_key_inside`
 */
export function loadRootKey(request: RootKeyRequest): RootKey {
  const { reference, dataFolder } = request;
  if (reference === undefined) return loadDefault(request);
  const [, scheme, name] = /^(file|env|systemd):(.+)$/s.exec(reference) ?? [];
  if (scheme === 'env' && name !== undefined) return fromEnvironment(name, request.environment);
  if (scheme === 'systemd' && name !== undefined) return fromSystemd(name, request.environment);
  if (scheme === 'file' && name !== undefined) return fromFile(path.resolve(name), dataFolder);
  throw new HoldfastError('storage.root_key_invalid', { reason: 'not a file:, env: or systemd: reference' });
}

function loadDefault({ dataFolder, fresh, random }: RootKeyRequest): RootKey {
  const file = defaultRootKeyPath(dataFolder);
  try {
    return fromFile(file, dataFolder);
  } catch (error) {
    if (!fresh || !HoldfastError.is(error, 'storage.root_key_missing')) throw error;
  }
  const bytes = random.bytes(KEY_LENGTH);
  createFile(file, `${encodeHex(bytes)}\n`);
  return { bytes, source: `file:${file}`, created: true };
}

function fromFile(file: string, dataFolder: string): RootKey {
  const source = `file:${file}`;
  let content: Uint8Array;
  try {
    content = readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('storage.root_key_missing', { source }, { cause });
  }
  const { mode, uid } = statSync(file);
  const own = process.getuid?.();
  if ((mode & OTHERS) !== 0 || (own !== undefined && uid !== own)) {
    throw new HoldfastError('storage.root_key_exposed', { source, mode: (mode & 0o777).toString(8), owner: uid });
  }
  if (liesInside(file, dataFolder)) throw new HoldfastError('storage.root_key_inside', { source });
  return { bytes: decodeKey(content, source), source, created: false };
}

function fromEnvironment(name: string, environment: Record<string, string | undefined>): RootKey {
  const source = `env:${name}`;
  const text = environment[name];
  if (text === undefined) throw new HoldfastError('storage.root_key_missing', { source });
  delete environment[name];
  return { bytes: decodeKey(Buffer.from(text), source), source, created: false };
}

/** systemd.exec(5): LoadCredential= puts the file, readable by the service alone, into $CREDENTIALS_DIRECTORY. */
function fromSystemd(name: string, environment: Record<string, string | undefined>): RootKey {
  const source = `systemd:${name}`;
  const folder = environment['CREDENTIALS_DIRECTORY'];
  if (folder === undefined || name.includes('/') || name === '..') {
    throw new HoldfastError('storage.root_key_missing', { source });
  }
  try {
    return { bytes: decodeKey(readFileSync(path.join(folder, name)), source), source, created: false };
  } catch (cause) {
    if (HoldfastError.is(cause)) throw cause;
    throw new HoldfastError('storage.root_key_missing', { source }, { cause });
  }
}

function decodeKey(content: Uint8Array, source: string): Uint8Array {
  if (content.length === KEY_LENGTH) return new Uint8Array(content);
  const text = Buffer.from(content).toString('latin1').trim();
  const key = text.length === 2 * KEY_LENGTH ? attempt(decodeHex, text) : attempt(decodeBase64, text);
  if (key?.length !== KEY_LENGTH) throw new HoldfastError('storage.root_key_invalid', { source });
  return key;
}

function attempt(decode: (text: string) => Uint8Array, text: string): Uint8Array | undefined {
  try {
    return decode(text);
  } catch {
    return undefined;
  }
}

function liesInside(file: string, dataFolder: string): boolean {
  const relative = path.relative(realpathOf(dataFolder), realpathOf(file));
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative);
}

function realpathOf(target: string): string {
  try {
    return realpathSync(target);
  } catch {
    return path.resolve(target);
  }
}

/** Complete or absent, never replacing one: `link` fails where the name exists. */
function createFile(file: string, content: string): void {
  const temporary = `${file}.${process.pid}.new`;
  const handle = openSync(temporary, 'wx', PRIVATE_MODE);
  try {
    writeSync(handle, content);
    fsyncSync(handle);
    linkSync(temporary, file);
  } finally {
    closeSync(handle);
    unlinkSync(temporary);
  }
  const folder = openSync(path.dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}
