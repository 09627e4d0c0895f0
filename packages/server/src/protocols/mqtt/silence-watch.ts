/** Notices that nothing has come for too long; reads the clock once a tick, not once a packet. */
export class SilenceWatch {
  #allowedMs = 0;
  #deadlineMs = 0;
  #heard = false;

  /** `allowedMs` of silence from now on; 0 allows any. */
  allow(allowedMs: number, nowMs: number): void {
    this.#allowedMs = allowedMs;
    this.#deadlineMs = nowMs + allowedMs;
    this.#heard = false;
  }

  /** Something came. */
  hear(): void {
    this.#heard = true;
  }

  /** Whether the silence has lasted too long. What came since the last tick counts as coming now. */
  isOver(nowMs: number): boolean {
    if (this.#heard) {
      this.#heard = false;
      this.#deadlineMs = nowMs + this.#allowedMs;
      return false;
    }
    return this.#allowedMs > 0 && nowMs >= this.#deadlineMs;
  }
}
