/** How long publishers show consideration for a subscriber that stays behind. */
const PATIENCE_MS = 1_000;

/** A subscriber that is behind, and the publishers that rest until it has caught up. */
export class Relief {
  #behindSince: number | undefined;
  #resting: (() => void)[] = [];

  /** Whether resting may help: not for one that is stuck. Called whenever it is found behind. */
  helps(nowMs: number): boolean {
    this.#behindSince ??= nowMs;
    return nowMs - this.#behindSince < PATIENCE_MS;
  }

  whenCaughtUp(wake: () => void): void {
    this.#resting.push(wake);
  }

  caughtUp(): void {
    this.#behindSince = undefined;
    const resting = this.#resting;
    if (resting.length === 0) return;
    this.#resting = [];
    for (const wake of resting) wake();
  }
}
