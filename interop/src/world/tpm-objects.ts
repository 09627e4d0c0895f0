/** TPM_CC of commands that name transient objects in their handle area, with how many handles that area has. */
const HANDLES_IN: Readonly<Record<number, number>> = {
  0x0120: 2, // EvictControl
  0x0131: 1, // CreatePrimary
  0x0147: 2, // ActivateCredential
  0x0148: 2, // Certify
  0x0151: 2, // PolicySecret
  0x0153: 1, // Create
  0x0154: 1, // ECDH_ZGen
  0x0157: 1, // Load
  0x0158: 1, // Quote
  0x0159: 1, // RSA_Decrypt
  0x015c: 1, // SequenceUpdate
  0x015d: 1, // Sign
  0x015e: 1, // Unseal
  0x0162: 1, // ContextSave
  0x0163: 1, // ECDH_KeyGen
  0x0173: 1, // ReadPublic
  0x0174: 1, // RSA_Encrypt
  0x0176: 2, // StartAuthSession
  0x0177: 1, // VerifySignature
  0x013e: 1, // SequenceComplete
};
/** Commands whose answer begins with the handle of a new object. */
const NEW_OBJECT: ReadonlySet<number> = new Set([0x0131, 0x0157, 0x0167, 0x0161, 0x0186, 0x015b, 0x0191]);
const FLUSH = 0x0165;
const SAVE = 0x0162;
const LOAD = 0x0161;
const SEQUENCE_COMPLETE = 0x013e;
const TRANSIENT = 0x80;
const HEADER = 10;
const FIRST = 0x80ff0000;

/** Sends one whole command and gives its whole answer. */
export type Exchange = (command: Buffer) => Promise<Buffer>;

/**
 * The transient objects of programs, swapped in for each command and out after it, as the kernel does for
 * `/dev/tpmrm0` (TCG TSS 2.0 TAB and Resource Manager, 4.3). A TPM has three slots; programs want more.
 */
export class SwappedObjects {
  readonly #contexts = new Map<number, Buffer>();
  #next = FIRST;

  async run(command: Buffer, exchange: Exchange): Promise<Buffer> {
    const code = command.readUInt32BE(6);
    if (code === FLUSH && this.#contexts.delete(command.readUInt32BE(HEADER))) return answer(0);
    const real = Buffer.from(command);
    const loaded: (readonly [number, number])[] = [];
    for (let at = 0; at < (HANDLES_IN[code] ?? 0); at++) {
      const offset = HEADER + 4 * at;
      const handle = command.readUInt32BE(offset);
      const context = this.#contexts.get(handle);
      if (context === undefined) continue;
      const placed = (await exchange(message(LOAD, context))).readUInt32BE(HEADER);
      real.writeUInt32BE(placed, offset);
      loaded.push([handle, placed]);
    }
    const response = await exchange(real);
    const isDone = response.readUInt32BE(6) === 0;
    if (isDone && NEW_OBJECT.has(code) && response[HEADER] === TRANSIENT) {
      const placed = response.readUInt32BE(HEADER);
      response.writeUInt32BE(this.#next, HEADER);
      loaded.push([this.#next++, placed]);
    }
    for (const [handle, placed] of loaded) {
      // The end of a sequence is the end of its object.
      if (isDone && code === SEQUENCE_COMPLETE) this.#contexts.delete(handle);
      else await this.#swapOut(handle, placed, exchange);
    }
    return response;
  }

  async #swapOut(handle: number, placed: number, exchange: Exchange): Promise<void> {
    const operand = Buffer.alloc(4);
    operand.writeUInt32BE(placed);
    const saved = await exchange(message(SAVE, operand));
    if (saved.readUInt32BE(6) !== 0) throw new Error(`the object ${placed.toString(16)} could not be saved`);
    this.#contexts.set(handle, saved.subarray(HEADER));
    await exchange(message(FLUSH, operand));
  }
}

function message(code: number, operands: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt16BE(0x8001, 0);
  header.writeUInt32BE(HEADER + operands.length, 2);
  header.writeUInt32BE(code, 6);
  return Buffer.concat([header, operands]);
}

function answer(code: number): Buffer {
  return message(code, Buffer.alloc(0));
}
