/**
 * One compiled write of a unit of work. Repositories make it, the store runs it; services only pass it on.
 *
 * A write may expect a row count: a guard such as "where state = expected" that matches nothing rolls the unit back.
 */
export interface Write {
  readonly kind: string;
}

/** Runs units of work. Reads come first, through repositories; then one list of writes is committed at once. */
export interface Store {
  /**
   * Commits all writes or none; resolves only when the unit is durable.
   *
   * @throws `store.conflict` when a write's expected row count was not met (nothing was written);
   * `store.unavailable` or `store.full` when the store could not take it.
   */
  commit(writes: readonly Write[]): Promise<void>;
}

/** One page of a keyset listing; `after` of the next call is `next` of this one. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next: string | undefined;
}

export interface PageRequest {
  /** Keyset position, exclusive; undefined starts at the beginning. */
  readonly after?: string | undefined;
  /** 1-1000 rows. */
  readonly limit: number;
}
