import { systemClock } from '@holdfast/kernel';
import { useEffect, useState } from 'preact/hooks';
import { ago } from '../words.ts';

/** How long ago, with the exact time behind it. */
export function Ago({ at }: { readonly at: string | undefined }) {
  const [now, setNow] = useState(() => systemClock.now());
  useEffect(() => {
    const timer = systemClock.every(10_000, () => setNow(systemClock.now()));
    return () => timer.cancel();
  }, []);
  if (at === undefined) return <span class="quiet">never</span>;
  return (
    <time dateTime={at} title={at}>
      {ago(at, now)}
    </time>
  );
}
