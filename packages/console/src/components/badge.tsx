import type { Tone } from '../words.ts';

const MARK: Readonly<Record<Tone, string>> = { good: '●', watch: '◐', bad: '■', plain: '○' };

/** A state as mark, word and colour: any one of the three is enough to read it. */
export function Badge({ tone, children }: { readonly tone: Tone; readonly children: string }) {
  return (
    <span class={`badge ${tone}`}>
      <span aria-hidden="true">{MARK[tone]}</span> {children}
    </span>
  );
}
