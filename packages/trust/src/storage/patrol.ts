import { type Clock, HoldfastError, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import type {
  ArtifactRepository,
  AuditLog,
  SealedPlace,
  SealedRecord,
  SealedRepository,
  Store,
} from '../ports/index.ts';
import type { Artifacts } from './artifacts.ts';
import type { SealedFields } from './sealed-fields.ts';

const PAGE = 64;

export interface PatrolPorts {
  readonly artifacts: Artifacts;
  readonly artifactRecords: ArtifactRepository;
  readonly fields: SealedFields;
  readonly sealedRecords: SealedRepository;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PatrolSettings {
  /** Everything is read once in this time. */
  readonly periodMs: number;
  readonly bytesPerSecond: number;
}

export interface PatrolReport {
  readonly read: number;
  readonly corrupt: number;
}

/** Reads everything that is stored again and again, slowly, and states what is no longer what was written. */
export class IntegrityPatrol {
  readonly #ports: PatrolPorts;
  readonly #settings: PatrolSettings;
  /** Records already stated to be corrupt. */
  readonly #stated = new Set<string>();
  #timer: Timer | undefined;
  #round: Promise<PatrolReport> | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(ports: PatrolPorts, settings: PatrolSettings) {
    this.#ports = ports;
    this.#settings = settings;
  }

  start(): void {
    const { clock, log } = this.#ports;
    this.#timer = clock.every(this.#settings.periodMs, () => {
      this.round().catch((error: unknown) => {
        if (!this.#closed) log.error('the integrity patrol broke off', { code: toHoldfastError(error).code });
      });
    });
  }

  /** One round over every artifact and record; a round under way is joined. */
  round(): Promise<PatrolReport> {
    this.#round ??= this.#walk().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  /** Ends the round under way at its next step. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#wake?.();
    await this.#round?.catch(() => undefined);
  }

  async #walk(): Promise<PatrolReport> {
    const artifacts = await this.#artifacts();
    const records = await this.#records();
    return { read: artifacts.read + records.read, corrupt: artifacts.corrupt + records.corrupt };
  }

  async #artifacts(): Promise<PatrolReport> {
    const { artifacts, artifactRecords, clock, log } = this.#ports;
    const begun = clock.now();
    const seen = new Set<string>();
    let corrupt = 0;
    while (!this.#closed) {
      const page = (await artifactRecords.checkedBefore(begun, PAGE)).filter(({ artifactId }) => !seen.has(artifactId));
      if (page.length === 0) break;
      for (const record of page) {
        seen.add(record.artifactId);
        try {
          if ((await artifacts.check(record, (bytes) => this.#pace(bytes))) === 'corrupt') corrupt++;
        } catch (error) {
          if (this.#closed) break;
          log.warn('an artifact was not checked', { id: record.artifactId, code: toHoldfastError(error).code });
        }
      }
    }
    return { read: seen.size, corrupt };
  }

  async #records(): Promise<PatrolReport> {
    let read = 0;
    let corrupt = 0;
    for (let after: SealedPlace | undefined; !this.#closed; ) {
      const page = await this.#ports.sealedRecords.walk(after, PAGE);
      if (page.length === 0) break;
      for (const record of page) {
        read++;
        if (!(await this.#opens(record))) corrupt++;
        await this.#pace(record.sealed.length);
      }
      after = page.at(-1);
    }
    return { read, corrupt };
  }

  async #opens(record: SealedRecord): Promise<boolean> {
    try {
      await this.#ports.fields.open(record, record.sealed);
      return true;
    } catch (error) {
      if (HoldfastError.is(error, 'storage.key_destroyed')) return true;
      if (!HoldfastError.is(error, 'crypto.open_failed') && !HoldfastError.is(error, 'crypto.unknown_key')) throw error;
      await this.#state(record);
      return false;
    }
  }

  async #state({ tenant, kind, id, version }: SealedRecord): Promise<void> {
    const { store, audit, log } = this.#ports;
    const name = JSON.stringify([tenant, kind, id, version]);
    if (this.#stated.has(name)) return;
    log.error('a sealed record is corrupt', { kind, id, version });
    const details = { kind, version };
    await store.commit([audit.entry({ tenant, actor: 'system', action: 'record.corrupt', subject: id, details })]);
    this.#stated.add(name);
  }

  /** Waits as long as reading so much may take. */
  async #pace(bytes: number): Promise<void> {
    if (this.#closed) throw new HoldfastError('kernel.aborted', {});
    const delayMs = (1000 * bytes) / this.#settings.bytesPerSecond;
    await new Promise<void>((resolve) => {
      const timer = this.#ports.clock.after(delayMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
