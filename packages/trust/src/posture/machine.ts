import { defineMachine } from '@holdfast/kernel';
import type { DeviceRecord, Posture, ProductRecord } from '../ports/index.ts';
import type { DeviceRights } from './contracts.ts';

/** `prove`, `restrict`, `condemn`: what believed evidence or a raised minimum led to. `pardon`: an operator's. */
export type PostureEvent = 'prove' | 'restrict' | 'condemn' | 'pardon';

/** Evidence never lifts a quarantine; an operator does. Whom an operator takes back starts over. */
export const POSTURE_MACHINE = defineMachine<Posture, PostureEvent>({
  name: 'posture',
  initial: 'unproven',
  transitions: {
    unproven: { prove: 'proven', restrict: 'restricted', condemn: 'quarantined', pardon: 'unproven' },
    proven: { prove: 'proven', restrict: 'restricted', condemn: 'quarantined', pardon: 'unproven' },
    restricted: { prove: 'proven', restrict: 'restricted', condemn: 'quarantined', pardon: 'unproven' },
    quarantined: { condemn: 'quarantined', pardon: 'unproven' },
  },
});

export const EVENT_OF_POSTURE: Readonly<Record<Exclude<Posture, 'unproven'>, PostureEvent>> = {
  proven: 'prove',
  restricted: 'restrict',
  quarantined: 'condemn',
};

const RIGHTS: Readonly<Record<Posture, Readonly<Record<ProductRecord['evidence'], DeviceRights>>>> = {
  unproven: { required: 'restricted', none: 'full' },
  proven: { required: 'full', none: 'full' },
  restricted: { required: 'restricted', none: 'restricted' },
  quarantined: { required: 'none', none: 'none' },
};

/** What a device may do; a product with `evidence: none` believes a device that has shown nothing. */
export function rightsOf(posture: Posture, product: Pick<ProductRecord, 'evidence'>): DeviceRights {
  return RIGHTS[posture][product.evidence];
}

/** Where a recorded posture stands after the registry was heard: it alone holds and lifts a quarantine. */
export function standingPosture(recorded: Posture, device: Pick<DeviceRecord, 'state'>): Posture {
  if (device.state === 'quarantined') return 'quarantined';
  return recorded === 'quarantined' ? POSTURE_MACHINE.step(recorded, 'pardon') : recorded;
}
