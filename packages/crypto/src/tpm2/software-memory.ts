import { type ByteReader, ByteWriter, concatBytes } from '@holdfast/kernel';
import {
  PCR_COUNT,
  readPcrSelections,
  TPM_HASHES,
  TPM_RC,
  tpmHashOf,
  writePcrSelections,
  writeSized,
} from '@holdfast/wire/tpm2';
import { extendPcr, initialPcr, type PcrBank } from './registers.ts';

/** A command's answer: handles and parameters, or the code of a refusal. */
export type SoftwareAnswer =
  | { readonly handles?: readonly number[]; readonly parameters?: Uint8Array }
  | { readonly refused: number };

/** The registers of a software TPM, SHA-256 bank. */
export class SoftwareRegisters {
  readonly #values = Array.from({ length: PCR_COUNT }, (_, pcr) => initialPcr(pcr, 'sha256'));

  of(pcrs: readonly number[]): PcrBank {
    return new Map(pcrs.map((pcr) => [pcr, this.#values[pcr] ?? new Uint8Array()]));
  }

  read(r: ByteReader): SoftwareAnswer {
    const [selection] = readPcrSelections(r);
    const pcrs = (selection?.pcrs ?? []).slice(0, 8);
    const writer = writePcrSelections(new ByteWriter().u32be(1), [{ bank: 'sha256', pcrs }]).u32be(pcrs.length);
    for (const value of this.of(pcrs).values()) writeSized(writer, value);
    return { parameters: writer.finish() };
  }

  extend(pcr: number, r: ByteReader): SoftwareAnswer {
    const before = this.#values[pcr];
    r.skip(4, 'digests.count');
    const bank = tpmHashOf(r.u16be('hashAlg'));
    if (before === undefined || bank !== 'sha256') return { refused: TPM_RC.value };
    this.#values[pcr] = extendPcr(bank, before, r.take(TPM_HASHES[bank].size, 'digest'));
    return {};
  }
}

/** What a maker wrote into the chip. */
export class SoftwareNv {
  readonly #contents = new Map<number, Uint8Array>();

  get indexes(): Iterable<number> {
    return this.#contents.keys();
  }

  write(index: number, bytes: Uint8Array): void {
    this.#contents.set(index, bytes.slice());
  }

  readPublic(index: number): SoftwareAnswer {
    const content = this.#contents.get(index);
    if (content === undefined) return { refused: TPM_RC.handle };
    const area = new ByteWriter().u32be(index).u16be(TPM_HASHES.sha256.id).u32be(0).u16be(0).u16be(content.length);
    return { parameters: concatBytes(sized(area.finish()), sized(new Uint8Array(34))) };
  }

  read(index: number, r: ByteReader): SoftwareAnswer {
    const [size, offset] = [r.u16be('size'), r.u16be('offset')];
    const content = this.#contents.get(index);
    if (content === undefined) return { refused: TPM_RC.handle };
    const isInside = offset + size <= content.length;
    return isInside ? { parameters: sized(content.subarray(offset, offset + size)) } : { refused: TPM_RC.value };
  }
}

export function sized(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return writeSized(new ByteWriter(bytes.length + 2), bytes).finish();
}
