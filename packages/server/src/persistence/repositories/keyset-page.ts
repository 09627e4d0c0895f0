import type { Page, PageRequest } from '@holdfast/trust/ports';

/** A page out of rows that were read with one more than its limit; `keyOf` is the position of a row. */
export function pageOf<Row>(rows: readonly Row[], request: PageRequest, keyOf: (row: Row) => string): Page<Row> {
  const kept = rows.slice(0, request.limit);
  const last = kept.at(-1);
  return { rows: kept, next: rows.length > request.limit && last !== undefined ? keyOf(last) : undefined };
}
