import type { ShadowDelta, ShadowDocument } from '@holdfast/trust/communication';

/** The state as `get` answers it: with what is desired and not reported, when there is any. */
export function stateWithDelta(state: ShadowDocument['state'], delta: ShadowDelta | undefined) {
  return delta === undefined ? state : { ...state, delta: delta.state };
}
