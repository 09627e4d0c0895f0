/** Runs tasks of one key one after the other, in the order they were given; other keys do not wait. */
export class InOrder {
  readonly #last = new Map<string, Promise<void>>();

  /** The task's own failure does not keep the next one from running. */
  run(key: string, task: () => Promise<void>): Promise<void> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const own = before.then(task, task);
    this.#last.set(key, own);
    const forget = (): void => {
      if (this.#last.get(key) === own) this.#last.delete(key);
    };
    own.then(forget, forget);
    return own;
  }
}
