/** A page as the API words it: `next` is left out at the end. */
export function pageOf<Row>(rows: Row[], next: string | undefined): { rows: Row[]; next?: string } {
  return next === undefined ? { rows } : { rows, next };
}
