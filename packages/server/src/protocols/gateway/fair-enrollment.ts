import type { EnrollmentDoor, ServerKeyDoor } from '@holdfast/trust/identity';
import { FairQueue, type FairQueueLimits } from './fair-queue.ts';

/** Each costs signatures and a commit; more at once would only make all of them late. */
const LIMITS: FairQueueLimits = { inFlight: 16, waitingEach: 1_000, waitingAll: 20_000 };

/** Enrollments and renewals in turn: by claim, and by device that renews, over all doors together. */
export function fairEnrollment(
  door: EnrollmentDoor & ServerKeyDoor,
  limits: FairQueueLimits = LIMITS,
): EnrollmentDoor & ServerKeyDoor {
  const queue = new FairQueue(limits);
  return {
    createCertificate: (claim, wish, context) =>
      queue.run(`claim ${claim.claimId}`, () => door.createCertificate(claim, wish, context)),
    registerThing: (claim, wish, context) =>
      queue.run(`claim ${claim.claimId}`, () => door.registerThing(claim, wish, context)),
    enrollDirect: (claim, csrDer, context) =>
      queue.run(`claim ${claim.claimId}`, () => door.enrollDirect(claim, csrDer, context)),
    enrollWithServerKey: (claim, csrDer, context) =>
      queue.run(`claim ${claim.claimId}`, () => door.enrollWithServerKey(claim, csrDer, context)),
    renew: (device, csrDer, context) =>
      queue.run(`device ${device.tenant}/${device.deviceId}`, () => door.renew(device, csrDer, context)),
  };
}
