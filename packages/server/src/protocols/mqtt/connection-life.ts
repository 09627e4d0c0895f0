import { defineMachine } from '@holdfast/kernel';

export type ConnectionState = 'greeting' | 'admitting' | 'active' | 'ended';

export const CONNECTION_LIFE = defineMachine<ConnectionState, 'connect' | 'admit' | 'end'>({
  name: 'mqtt connection',
  initial: 'greeting',
  transitions: {
    greeting: { connect: 'admitting', end: 'ended' },
    admitting: { admit: 'active', end: 'ended' },
    active: { end: 'ended' },
    ended: {},
  },
});
