import { HoldfastError } from './errors/index.ts';

/** `transitions[state][event]` is the next state; what is absent is not allowed. */
export interface MachineSpec<State extends string, Event extends string> {
  readonly name: string;
  readonly initial: State;
  readonly transitions: Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>>;
}

export interface Machine<State extends string, Event extends string> {
  readonly name: string;
  readonly initial: State;
  readonly states: readonly State[];
  /** The next state, or undefined when the state does not allow the event. */
  next(state: State, event: Event): State | undefined;
  /** @throws `kernel.invalid_transition` when the state does not allow the event. */
  step(state: State, event: Event): State;
  /** A state that no event leaves. */
  isTerminal(state: State): boolean;
}

/** A state machine from a table. */
export function defineMachine<State extends string, Event extends string>(
  spec: MachineSpec<State, Event>,
): Machine<State, Event> {
  const next = (state: State, event: Event): State | undefined => spec.transitions[state][event];
  return {
    name: spec.name,
    initial: spec.initial,
    states: Object.keys(spec.transitions) as State[],
    next,
    step(state, event) {
      const to = next(state, event);
      if (to === undefined) throw new HoldfastError('kernel.invalid_transition', { machine: spec.name, state, event });
      return to;
    },
    isTerminal: (state) => Object.keys(spec.transitions[state]).length === 0,
  };
}
