/** How long publishers show consideration for a subscriber that takes nothing. */
const PATIENCE_MS = 1_000;

/** A subscriber that is behind, and the publishers that rest until it has caught up. */
export class Relief {
  #lastProgressMs = 0;
  #takenBytes = Number.NEGATIVE_INFINITY;
  #resting: (() => void)[] = [];

  /** Whether resting may help: not for one that is stuck. `takenBytes` is what it has taken in all. */
  helps(nowMs: number, takenBytes: number): boolean {
    if (takenBytes > this.#takenBytes) {
      this.#takenBytes = takenBytes;
      this.#lastProgressMs = nowMs;
    }
    return nowMs - this.#lastProgressMs < PATIENCE_MS;
  }

  whenCaughtUp(wake: () => void): void {
    this.#resting.push(wake);
  }

  caughtUp(): void {
    const resting = this.#resting;
    if (resting.length === 0) return;
    this.#resting = [];
    for (const wake of resting) wake();
  }
}
