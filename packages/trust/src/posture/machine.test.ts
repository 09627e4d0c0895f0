import { describe, expect, it } from 'vitest';
import type { Posture } from '../ports/index.ts';
import { POSTURE_MACHINE, type PostureEvent, rightsOf, standingPosture } from './machine.ts';

const EVENTS: readonly PostureEvent[] = ['prove', 'restrict', 'condemn', 'pardon'];
const ALLOWED: Readonly<Record<string, Posture>> = {
  'unproven prove': 'proven',
  'unproven restrict': 'restricted',
  'unproven condemn': 'quarantined',
  'unproven pardon': 'unproven',
  'proven prove': 'proven',
  'proven restrict': 'restricted',
  'proven condemn': 'quarantined',
  'proven pardon': 'unproven',
  'restricted prove': 'proven',
  'restricted restrict': 'restricted',
  'restricted condemn': 'quarantined',
  'restricted pardon': 'unproven',
  'quarantined condemn': 'quarantined',
  'quarantined pardon': 'unproven',
};

describe('the posture machine', () => {
  it.each(POSTURE_MACHINE.states.flatMap((state) => EVENTS.map((event) => ({ state, event }))))(
    'answers $event in $state as stated',
    ({ state, event }) => {
      expect(POSTURE_MACHINE.next(state, event)).toBe(ALLOWED[`${state} ${event}`]);
    },
  );
});

describe('the rights of a posture', () => {
  it.each([
    ['unproven', 'required', 'restricted'],
    ['unproven', 'none', 'full'],
    ['proven', 'required', 'full'],
    ['proven', 'none', 'full'],
    ['restricted', 'required', 'restricted'],
    ['restricted', 'none', 'restricted'],
    ['quarantined', 'required', 'none'],
    ['quarantined', 'none', 'none'],
  ] as const)('of %s with evidence %s are %s', (posture, evidence, rights) => {
    expect(rightsOf(posture, { evidence })).toBe(rights);
  });
});

describe('the standing posture', () => {
  it('is quarantined whenever the registry says so, whatever was proven', () => {
    for (const posture of POSTURE_MACHINE.states) {
      expect(standingPosture(posture, { state: 'quarantined' })).toBe('quarantined');
    }
  });

  it('starts over once an operator re-admitted the device', () => {
    expect(standingPosture('quarantined', { state: 'active' })).toBe('unproven');
    expect(standingPosture('proven', { state: 'active' })).toBe('proven');
  });
});
