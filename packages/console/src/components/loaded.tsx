import type { ComponentChildren } from 'preact';
import type { Loaded } from '../use-live.ts';

interface Props<Value> {
  readonly of: Loaded<Value>;
  readonly children: (value: Value) => ComponentChildren;
}

/** Shows what was loaded, or why it was not. */
export function Show<Value>({ of, children }: Props<Value>) {
  if (of.kind === 'loading') return <p class="quiet">Loading…</p>;
  if (of.kind === 'refused') {
    return (
      <p class="notice bad" role="alert">
        The server said: {of.words}. <code>{of.code}</code>
      </p>
    );
  }
  return <>{children(of.value)}</>;
}
