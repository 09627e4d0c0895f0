/** The pieces used last, each made once however many ask for it at the same time. */
export class RecentPieces {
  readonly #limit: number;
  readonly #kept = new Map<string, Promise<Uint8Array>>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether a piece whose name begins so is kept. */
  holds(prefix: string): boolean {
    return [...this.#kept.keys()].some((name) => name.startsWith(prefix));
  }

  get(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const piece = this.#kept.get(name) ?? make();
    this.#kept.delete(name);
    this.#kept.set(name, piece);
    piece.catch(() => this.#kept.delete(name));
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#limit) break;
      this.#kept.delete(oldest);
    }
    return piece;
  }
}
