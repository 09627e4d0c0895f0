/** One numbered conformance statement of the standard, in words of our own. */
export interface Statement {
  readonly id: string;
  readonly who: 'client' | 'server' | 'both';
  readonly says: string;
  /** Why no test names it; statements on clients need none. */
  readonly untested?: string;
}

type Row = readonly [id: string, says: string, untested?: string];

/** Rows of one party; `[MQTT-…]` around identifiers is left out. */
export function statements(who: Statement['who'], rows: readonly Row[]): Statement[] {
  return rows.map(([id, says, untested]) => ({ id, who, says, ...(untested === undefined ? {} : { untested }) }));
}

/** By chapter, section and number. */
export function inOrder(all: readonly Statement[]): Statement[] {
  const key = (id: string) =>
    id
      .split(/[.-]/)
      .map((part) => part.padStart(3, '0'))
      .join('.');
  return [...all].sort((a, b) => key(a.id).localeCompare(key(b.id)));
}
