import { HoldfastError } from '@holdfast/kernel';
import {
  type Block,
  type BlockRequest,
  selectBlocks,
  STREAM_VERSION,
  type StreamErrorCode,
} from '@holdfast/wire/aws-iot';
import type { ArtifactAccess, GrantedFile } from './artifact-access.ts';
import type { JobOwner } from './device-jobs.ts';
import { FIRMWARE_FILE_ID } from './job-documents.ts';

export interface FileStreamsPorts {
  readonly access: ArtifactAccess;
}

export interface StreamDescription {
  readonly version: number;
  readonly description: string;
  readonly files: readonly { readonly fileId: number; readonly size: number }[];
}

export interface StreamWish extends Omit<BlockRequest, 'fileBytes'> {
  readonly fileId: number;
  /** Undefined takes whatever version there is. */
  readonly version: number | undefined;
}

export interface StreamBlock {
  readonly index: number;
  readonly bytes: Uint8Array;
}

export type StreamAnswer =
  | { readonly kind: 'blocks'; readonly blocks: readonly StreamBlock[] }
  | { readonly kind: 'refused'; readonly code: StreamErrorCode };

/** Files in blocks. A stream never changes: a new release is a new stream. */
export class FileStreams {
  readonly #access: ArtifactAccess;

  constructor({ access }: FileStreamsPorts) {
    this.#access = access;
  }

  /** @throws `update.unknown_file` */
  async describe(owner: JobOwner, streamId: string): Promise<StreamDescription> {
    const file = await this.#access.openForStream(owner, streamId);
    await file.close();
    const { product, version } = file.release;
    const files = [{ fileId: FIRMWARE_FILE_ID, size: file.size }];
    return { version: STREAM_VERSION, description: `${product} ${version}`, files };
  }

  /** At most 128 KiB. @throws `update.unknown_file`, `update.stream_version` */
  async get(owner: JobOwner, streamId: string, wish: StreamWish): Promise<StreamAnswer> {
    const file = await this.#access.openForStream(owner, streamId);
    try {
      if (wish.version !== undefined && wish.version !== STREAM_VERSION) {
        throw new HoldfastError('update.stream_version', { version: wish.version });
      }
      if (wish.fileId !== FIRMWARE_FILE_ID) throw new HoldfastError('update.unknown_file', { fileId: wish.fileId });
      const selection = selectBlocks({ ...wish, fileBytes: file.size });
      return selection.kind === 'refused'
        ? selection
        : { kind: 'blocks', blocks: await readBlocks(file, selection.blocks) };
    } finally {
      await file.close();
    }
  }
}

/** Neighbouring blocks are read at once. */
async function readBlocks(file: GrantedFile, blocks: readonly Block[]): Promise<readonly StreamBlock[]> {
  const read: StreamBlock[] = [];
  let at = 0;
  while (at < blocks.length) {
    const run = neighboursFrom(blocks, at);
    const start = run[0]?.start ?? 0;
    const bytes = await file.read({ start, end: run.at(-1)?.end ?? start });
    for (const block of run) {
      read.push({ index: block.index, bytes: bytes.subarray(block.start - start, block.end - start) });
    }
    at += run.length;
  }
  return read;
}

function neighboursFrom(blocks: readonly Block[], first: number): readonly Block[] {
  let end = first + 1;
  while (end < blocks.length && blocks[end]?.start === blocks[end - 1]?.end) end++;
  return blocks.slice(first, end);
}
