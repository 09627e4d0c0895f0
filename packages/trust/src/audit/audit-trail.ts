import { EMPTY_ROOT, inclusionProof, type NoteKey } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import type {
  AuditFilter,
  AuditRepository,
  CheckpointFile,
  Page,
  PageRequest,
  StoredAuditEntry,
  Tenant,
} from '../ports/index.ts';
import { assembleTree, rootOf, spansOf } from './growth/index.ts';
import { type AuditVerdict, verifyAuditLog } from './verify.ts';

const PAGE = 1000;

/** That an entry is in the log: RFC 9162 2.1.3, against the tree of `size` entries. */
export interface AuditProof {
  readonly entry: StoredAuditEntry;
  readonly size: number;
  readonly root: Uint8Array;
  readonly path: readonly Uint8Array[];
}

export interface AuditTrailPorts {
  readonly repository: AuditRepository;
  readonly file: CheckpointFile;
}

/** Reads the log. */
export class AuditTrail {
  readonly #ports: AuditTrailPorts;

  constructor(ports: AuditTrailPorts) {
    this.#ports = ports;
  }

  /** Newest first. */
  list(tenant: Tenant, filter: AuditFilter, page: PageRequest): Promise<Page<StoredAuditEntry>> {
    return this.#ports.repository.list(tenant, filter, page);
  }

  /** @throws `audit.unknown_entry`, also for an entry of another tenant. */
  async prove(tenant: Tenant, sequence: number): Promise<AuditProof> {
    const { repository } = this.#ports;
    const entry = await repository.find(sequence);
    if (entry?.tenant !== tenant) throw new HoldfastError('audit.unknown_entry', { sequence });
    const size = await repository.size();
    const known = new Map<string, Uint8Array>();
    // The first pass only asks which subtrees the path is made of.
    for (const [start, end] of rangesOf(sequence, size)) known.set(`${start}-${end}`, await this.#rootOf(start, end));
    const path = inclusionProof((start, end) => known.get(`${start}-${end}`) ?? EMPTY_ROOT, sequence, size);
    return { entry, size, root: await this.#rootOf(0, size), path };
  }

  /** Reads the whole log and every checkpoint. */
  async verify(key: NoteKey): Promise<AuditVerdict> {
    // The checkpoints first: those signed while the entries are read would be ahead of them.
    const notes = await this.#ports.file.read();
    return verifyAuditLog(this.#entries(), notes, key);
  }

  async *#entries(): AsyncGenerator<StoredAuditEntry> {
    for (let next = 0; ; ) {
      const entries = await this.#ports.repository.from(next, PAGE);
      yield* entries;
      const last = entries.at(-1);
      if (!last) return;
      next = last.sequence + 1;
    }
  }

  async #rootOf(start: number, end: number): Promise<Uint8Array> {
    const spans = spansOf(start, end);
    const hashes: (readonly Uint8Array[])[] = [];
    for (const span of spans) hashes.push(await this.#ports.repository.hashes(span.level, span.start, span.end));
    return rootOf(assembleTree(spans, hashes));
  }
}

function rangesOf(sequence: number, size: number): readonly (readonly [number, number])[] {
  const ranges: [number, number][] = [];
  const record = (start: number, end: number) => {
    ranges.push([start, end]);
    return EMPTY_ROOT;
  };
  inclusionProof(record, sequence, size);
  return ranges;
}
