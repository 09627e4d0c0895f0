import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { pkcs11Signature, pkcs11SignOrder } from '@holdfast/crypto/pkcs11';
import { HoldfastError } from '@holdfast/kernel';
import type { KeyEngine, KeySignOrder } from '@holdfast/trust/ports';
import { parseKeyReference, type Pkcs11Reference } from './key-reference.ts';
import type { Pkcs11Answer, Pkcs11Opening, Pkcs11Question, Pkcs11Work } from './pkcs11-messages.ts';

interface Waiting {
  readonly resolve: (answer: Pkcs11Answer) => void;
  readonly reject: (error: HoldfastError) => void;
}

/** Given once: tokens lock after a few wrong ones. */
const WRONG_PIN: ReadonlySet<string> = new Set([
  'CKR_PIN_INCORRECT',
  'CKR_PIN_INVALID',
  'CKR_PIN_LEN_RANGE',
  'CKR_PIN_EXPIRED',
  'CKR_PIN_LOCKED',
]);
const NOT_THERE: ReadonlySet<string> = new Set(['no_addon', 'no_module']);
const NOT_USABLE: ReadonlySet<string> = new Set(['no_key', 'ambiguous', 'crypto.unsupported_algorithm']);
const PRIVATE = /^(HOLDFAST|AWS|PG)_?/;

/**
 * Keys in PKCS #11 tokens, reached by a process of their own.
 *
 * A failure ends that process: the next question starts another, with a module that knows nothing of what was.
 */
export class Pkcs11Engine implements KeyEngine {
  readonly #opening: () => Pkcs11Opening;
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #asked = 0;
  #refused: HoldfastError | undefined;

  /** @param opening - read anew at each start of the process; may throw `storage.key_engine_missing` */
  constructor(opening: () => Pkcs11Opening) {
    this.#opening = opening;
  }

  async describe(reference: string): Promise<Uint8Array> {
    return this.#ask({ kind: 'describe', reference: pkcs11Of(reference) });
  }

  async sign({ reference, algorithm, bytes }: KeySignOrder): Promise<Uint8Array<ArrayBuffer>> {
    const order = pkcs11SignOrder(algorithm, bytes);
    return pkcs11Signature(algorithm, await this.#ask({ kind: 'sign', reference: pkcs11Of(reference), order }));
  }

  /** Ends what hangs; whoever waits is told `storage.key_unavailable`. */
  reset(): void {
    this.#drop(this.#child, 'ended');
  }

  close(): void {
    this.reset();
  }

  async #ask(work: Pkcs11Work): Promise<Uint8Array> {
    if (this.#refused !== undefined) throw this.#refused;
    const child = (this.#child ??= this.#start());
    const number = (this.#asked += 1);
    const { promise, resolve, reject } = Promise.withResolvers<Pkcs11Answer>();
    this.#waiting.set(number, { resolve, reject });
    // Whoever waits for an answer is kept up by it; a server that idles is not.
    child.channel?.ref();
    child.send({ ...work, number } satisfies Pkcs11Question);
    const answer = await promise;
    if (answer.kind === 'done') return answer.bytes;
    throw this.#failed(child, answer.fault);
  }

  #failed(child: ChildProcess, fault: string): HoldfastError {
    const reason = fault.toLowerCase();
    if (NOT_USABLE.has(fault)) return new HoldfastError('storage.bad_key_reference', { part: reason });
    this.#drop(child, reason);
    if (NOT_THERE.has(fault)) return new HoldfastError('storage.key_engine_missing', { reason });
    if (!WRONG_PIN.has(fault)) return new HoldfastError('storage.key_unavailable', { reason });
    this.#refused = new HoldfastError('storage.key_engine_refused', { reason });
    return this.#refused;
  }

  #start(): ChildProcess {
    const entry = path.join(import.meta.dirname, `pkcs11-process${path.extname(import.meta.filename)}`);
    const opening = this.#opening();
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !PRIVATE.test(name)));
    const child = fork(entry, { env, serialization: 'advanced', stdio: 'ignore', execArgv: [] });
    child.on('message', (answer: Pkcs11Answer) => {
      this.#waiting.get(answer.number)?.resolve(answer);
      this.#waiting.delete(answer.number);
      if (this.#waiting.size === 0) child.channel?.unref();
    });
    for (const event of ['exit', 'error', 'disconnect']) child.on(event, () => this.#drop(child, 'ended'));
    child.send(opening);
    child.unref();
    child.channel?.unref();
    return child;
  }

  #drop(child: ChildProcess | undefined, reason: string): void {
    if (child === undefined || child !== this.#child) return;
    this.#child = undefined;
    child.kill('SIGKILL');
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of left) reject(new HoldfastError('storage.key_unavailable', { reason }));
  }
}

function pkcs11Of(reference: string): Pkcs11Reference {
  const parsed = parseKeyReference(reference);
  if (parsed.kind !== 'pkcs11') throw new HoldfastError('storage.bad_key_reference', { part: 'scheme' });
  return parsed;
}
