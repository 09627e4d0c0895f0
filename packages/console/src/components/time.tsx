import { useEffect, useState } from 'preact/hooks';
import { ago } from '../words.ts';

/** How long ago, with the exact time behind it. */
export function Ago({ at }: { readonly at: string | undefined }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  if (at === undefined) return <span class="quiet">never</span>;
  return (
    <time dateTime={at} title={at}>
      {ago(at, now)}
    </time>
  );
}
