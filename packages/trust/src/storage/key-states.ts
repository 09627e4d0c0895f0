import { defineMachine } from '@holdfast/kernel';
import type { KeyState } from '../ports/index.ts';

export type KeyEvent = 'activate' | 'suspend' | 'resume' | 'deactivate' | 'compromise' | 'destroy';

/** Key states of NIST SP 800-57 Part 1 rev. 5, section 7. */
export const KEY_MACHINE = defineMachine<KeyState, KeyEvent>({
  name: 'key',
  initial: 'active',
  transitions: {
    'pre-active': { activate: 'active', compromise: 'compromised', destroy: 'destroyed' },
    active: { suspend: 'suspended', deactivate: 'deactivated', compromise: 'compromised', destroy: 'destroyed' },
    suspended: { resume: 'active', deactivate: 'deactivated', compromise: 'compromised', destroy: 'destroyed' },
    deactivated: { compromise: 'compromised', destroy: 'destroyed' },
    compromised: { destroy: 'destroyed' },
    destroyed: {},
  },
});

/** Protecting something new: only an active key may. */
export function mayProtect(state: KeyState): boolean {
  return state === 'active';
}

/** Processing what it protected before: a deactivated or compromised key still opens, so that data can be moved off it. */
export function mayProcess(state: KeyState): boolean {
  return state === 'active' || state === 'deactivated' || state === 'compromised';
}
