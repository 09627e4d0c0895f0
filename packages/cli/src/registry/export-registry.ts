import { closeSync, existsSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import type { ApiClient, CallInput } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import { csvHeader, csvRow } from './registry-columns.ts';

export type TableForm = 'csv' | 'jsonl';

const PAGE = 500;

/** Reads the registry page by page and hands each on as text; a page is all it holds. @returns how many devices */
export async function exportRegistry(
  client: ApiClient,
  filter: NonNullable<CallInput<'registry.export'>['query']>,
  { form, write, onProgress }: ExportPorts,
): Promise<number> {
  let devices = 0;
  let after: string | undefined;
  if (form === 'csv') write(csvHeader());
  do {
    const page = await client.call('registry.export', { query: { ...filter, after, limit: PAGE } });
    write(page.rows.map((row) => (form === 'csv' ? csvRow(row) : `${JSON.stringify(row)}\n`)).join(''));
    devices += page.rows.length;
    onProgress(devices);
    after = page.next;
  } while (after !== undefined);
  return devices;
}

export interface ExportPorts {
  readonly form: TableForm;
  readonly write: (text: string) => void;
  readonly onProgress: (devices: number) => void;
}

/** A new file that has its name when it is whole. */
export class WholeFile {
  readonly #path: string;
  readonly #handle: number;

  /** @throws `cli.file_exists`, `cli.file_unusable` */
  constructor(path: string) {
    if (existsSync(path)) throw new HoldfastError('cli.file_exists', { path });
    this.#path = path;
    try {
      this.#handle = openSync(`${path}.part`, 'w', 0o600);
    } catch (cause) {
      throw new HoldfastError('cli.file_unusable', { path }, { cause });
    }
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#handle, bytes, at);
  }

  finish(): void {
    fsyncSync(this.#handle);
    closeSync(this.#handle);
    renameSync(`${this.#path}.part`, this.#path);
  }
}
