import { useCallback, useEffect, useState } from 'preact/hooks';
import { Refusal } from './api.ts';
import { onChange } from './live.ts';
import { signedOut } from './session.ts';

export type Loaded<Value> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly value: Value }
  | { readonly kind: 'refused'; readonly words: string; readonly code: string };

/** Loads a value and loads it again whenever the server says that something changed. */
export function useLive<Value>(load: () => Promise<Value>, key: string): Loaded<Value> {
  const [loaded, setLoaded] = useState<Loaded<Value>>({ kind: 'loading' });
  const reload = useCallback(() => {
    load().then(
      (value) => setLoaded({ kind: 'ready', value }),
      (error: unknown) => {
        if (error instanceof Refusal && error.status === 401) signedOut.value = true;
        else if (error instanceof Refusal) setLoaded({ kind: 'refused', words: error.message, code: error.code });
        else throw error;
      },
    );
  }, [key]);
  useEffect(() => {
    reload();
    return onChange(reload);
  }, [reload]);
  return loaded;
}
