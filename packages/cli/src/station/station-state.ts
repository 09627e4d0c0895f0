import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { encodeCanonicalJson, HoldfastError, parseStrictJson } from '@holdfast/kernel';
import { z } from 'zod';
import { writeWhole } from './device-folder.ts';
import { FORMAT_NAMES, KEY_PLACES } from './outputs/index.ts';

const FILE = 'station.json';

/** What a folder was begun with. A rerun with other terms would leave devices of two kinds in it. */
const Terms = z.strictObject({
  product: z.string(),
  key: z.enum(KEY_PLACES),
  formats: z.array(z.enum(FORMAT_NAMES)),
});
export type StationTerms = z.infer<typeof Terms>;

const State = z.strictObject({
  version: z.literal(1),
  terms: Terms,
  /** The claim the batch enrolls with, and the SHA-256 of the serial numbers it lists. */
  claim: z.strictObject({ id: z.string(), serials: z.string() }).optional(),
});
type State = z.infer<typeof State>;

/** The folder a station works in: one process at a time, one kind of batch. */
export class StationFolder {
  readonly path: string;
  #state: State;
  readonly #lock: DatabaseSync;

  /** @throws `cli.station_in_use`, `cli.station_folder`, `cli.file_unusable` */
  static open(folder: string, terms: StationTerms): StationFolder {
    makeFolder(folder);
    const lock = lockFolder(folder);
    try {
      return new StationFolder(folder, terms, lock);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  private constructor(folder: string, terms: StationTerms, lock: DatabaseSync) {
    this.path = folder;
    this.#lock = lock;
    this.#state = readState(folder) ?? { version: 1, terms };
    for (const field of ['product', 'key', 'formats'] as const) {
      if (encodeCanonicalJson(this.#state.terms[field]) !== encodeCanonicalJson(terms[field])) {
        throw new HoldfastError('cli.station_folder', { path: folder, field });
      }
    }
    this.#write();
  }

  get claim(): State['claim'] {
    return this.#state.claim;
  }

  keepClaim(claim: NonNullable<State['claim']>): void {
    this.#state = { ...this.#state, claim };
    this.#write();
  }

  close(): void {
    this.#lock.close();
  }

  #write(): void {
    writeWhole(this.path, { name: FILE, content: `${JSON.stringify(this.#state, undefined, 2)}\n`, secret: true });
  }
}

function readState(folder: string): State | undefined {
  const file = path.join(folder, FILE);
  if (!existsSync(file)) return undefined;
  const parsed = State.safeParse(parseStrictJson(readFileSync(file)));
  if (!parsed.success) throw new HoldfastError('cli.station_folder', { path: folder, field: FILE });
  return parsed.data;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: folder }, { cause });
  }
}

/** The lock of an empty SQLite file, which the kernel drops with the process. */
function lockFolder(folder: string): DatabaseSync {
  const lock = new DatabaseSync(path.join(folder, '.lock'));
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock.close();
    throw new HoldfastError('cli.station_in_use', { path: folder }, { cause });
  }
}
