import { encodeCheckpoint, type NoteKey, noteKey, type Signer, signNote } from '@holdfast/crypto';
import { type Clock, equalBytes, HoldfastError, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import type { AuditRepository, CheckpointFile } from '../ports/index.ts';
import { appendLeaf, assembleTree, type AuditTree, EMPTY_TREE, rootOf, spansOf } from './growth/index.ts';
import { readHead } from './verify.ts';

const DELAY_MS = 1000;
const RETRY_MS = 10_000;
const PAGE = 1024;

export interface CheckpointPorts {
  readonly repository: AuditRepository;
  readonly file: CheckpointFile;
  /** Ed25519. */
  readonly signer: Signer;
  /** Name of the log, a URL without scheme by advice of C2SP tlog-checkpoint. */
  readonly origin: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the start found: whether the store still holds what the last checkpoint signed. */
export type CheckpointStart =
  | { readonly kind: 'consistent'; readonly size: number }
  | { readonly kind: 'tail-removed'; readonly size: number; readonly signed: number }
  | { readonly kind: 'altered'; readonly signed: number };

/**
 * Signs the tree head soon after entries are committed and keeps it outside the store.
 *
 * Each head grows out of the one signed before it, by the leaves committed since: two heads of one log always agree.
 */
export class Checkpoints {
  readonly #ports: CheckpointPorts;
  readonly key: NoteKey;
  #tree: AuditTree = EMPTY_TREE;
  #size = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #stopped = false;

  constructor(ports: CheckpointPorts) {
    this.#ports = ports;
    this.key = noteKey(ports.origin, ports.signer.publicKeySpki);
  }

  /**
   * Takes up where the last checkpoint ended. Anything but `consistent` stops signing: a log that was altered must not
   * be vouched for.
   *
   * @throws `audit.bad_checkpoint` when the last checkpoint is not of this log's key.
   */
  async start(): Promise<CheckpointStart> {
    const { repository, file } = this.#ports;
    const note = (await file.read()).at(-1);
    const signed = note === undefined ? undefined : readHead(note, this.key);
    const size = await repository.size();
    this.#stopped = true;
    if (signed && signed.size > size) return { kind: 'tail-removed', size, signed: signed.size };
    const tree = await this.#treeOf(signed?.size ?? 0);
    if (signed && !(tree && equalBytes(rootOf(tree), signed.root))) return { kind: 'altered', signed: signed.size };
    this.#stopped = false;
    this.#tree = tree ?? EMPTY_TREE;
    this.committed(size);
    return { kind: 'consistent', size };
  }

  /** Tells that the log has `size` entries; a checkpoint follows within a second. */
  committed(size: number): void {
    this.#size = Math.max(this.#size, size);
    if (this.#stopped || this.#timer || this.#size <= this.#tree.size) return;
    this.#schedule(DELAY_MS);
  }

  /** Signs what is committed now. @throws what the store, the signer and the file throw. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
    if (this.#stopped || this.#size <= this.#tree.size) return;
    const writing = this.#write();
    this.#writing = writing.finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  /** Signs what is left and stops. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.flush();
    this.#stopped = true;
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#ports.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.flush().then(
        () => this.committed(this.#size),
        (error: unknown) => this.#retry(error),
      );
    });
  }

  #retry(error: unknown): void {
    this.#ports.log.error('the audit log could not be signed', { code: toHoldfastError(error).code });
    if (!this.#stopped && !this.#timer) this.#schedule(RETRY_MS);
  }

  async #write(): Promise<void> {
    const { repository, file, signer, origin } = this.#ports;
    const size = this.#size;
    let tree = this.#tree;
    while (tree.size < size) {
      const leaves = await repository.hashes(0, tree.size, Math.min(tree.size + PAGE, size));
      if (leaves.length === 0) throw new HoldfastError('audit.tampered', { sequence: tree.size, reason: 'no hash' });
      for (const leaf of leaves) ({ tree } = appendLeaf(tree, leaf));
    }
    const text = encodeCheckpoint({ origin, size: BigInt(tree.size), root: rootOf(tree), extensions: [] });
    await file.append(await signNote(text, origin, signer));
    this.#tree = tree;
  }

  async #treeOf(size: number): Promise<AuditTree | undefined> {
    const { repository } = this.#ports;
    const spans = spansOf(0, size);
    const hashes: (readonly Uint8Array[])[] = [];
    for (const { level, start, end } of spans) hashes.push(await repository.hashes(level, start, end));
    try {
      return assembleTree(spans, hashes);
    } catch (error) {
      if (HoldfastError.is(error, 'audit.tampered')) return undefined;
      throw error;
    }
  }
}
