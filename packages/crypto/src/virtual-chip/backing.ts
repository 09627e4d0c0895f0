/** Memory of a part; it outlives the process when it has a file behind it. */
export interface Backing {
  readonly bytes: Uint8Array;
  /** Makes `length` bytes from `at` durable. */
  save(at: number, length: number): void;
  close(): void;
}

export function memoryBacking(initial: Uint8Array): Backing {
  return { bytes: initial, save: () => undefined, close: () => undefined };
}
