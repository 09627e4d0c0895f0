import { generatePrivateKey, importPrivateKeyPem } from '@holdfast/crypto';
import { type ClaimCredential, EstClient, HttpsClient } from '@holdfast/device';
import { HoldfastError } from '@holdfast/kernel';
import { type Stage, STORY_HUBS } from '../stage.ts';
import { findingOf, type Observation, type Trial } from '../trial.ts';
import { REVOKED_DEVICE } from './revoked-live.ts';

const NEW_DEVICE = 'brand-new-1';

export const CLAIM_REUSE: Trial = {
  name: 'claim-reuse',
  title: 'a good claim registers the serial number of a device in the field, and of a revoked one',
  expected: 'no certificate at any door; the device in the field keeps its own, the revoked one stays out',
  async perform(stage) {
    const targets = { 'in the field': STORY_HUBS.csr.serial, revoked: REVOKED_DEVICE };
    const observations: Observation[] = [];
    for (const [what, serial] of Object.entries(targets)) {
      // EST reads no name from a request: the claim's own list is what it would register.
      const claim = await stage.claim({ serials: [serial], autoRegister: true });
      const before = await standing(stage, serial);
      const byClaim = await answerOf(stage.enrollBare(claim, serial));
      const byEst = await answerOf(enrollByEst(stage, claim, serial));
      const after = await standing(stage, serial);
      observations.push([`${what}, AWS`, byClaim, byClaim.startsWith('refused')]);
      observations.push([`${what}, EST`, byEst, byEst.startsWith('refused')]);
      observations.push([`${what} afterwards`, after, after === before]);
    }
    // A claim of the same kind for a serial number nobody has: the refusals are about the devices.
    const claim = await stage.claim({ serials: [NEW_DEVICE], autoRegister: true });
    const control = await answerOf(enrollByEst(stage, claim, NEW_DEVICE));
    return findingOf([...observations, ['a new serial', control, control === 'enrolled']]);
  },
};

async function standing({ client }: Stage, device: string): Promise<string> {
  const { state, certificates } = await client.call('devices.show', { device });
  const active = certificates.filter((certificate) => certificate.state === 'active');
  return `${state} with ${active.length} active of ${certificates.length}`;
}

async function answerOf(enrollment: Promise<unknown>): Promise<string> {
  try {
    await enrollment;
    return 'enrolled';
  } catch (error) {
    if (!HoldfastError.is(error, 'device.enrollment_rejected')) throw error;
    const { code, status, reason } = error.details;
    return `refused ${String(code ?? status ?? reason)}`;
  }
}

async function enrollByEst(stage: Stage, claim: ClaimCredential, serial: string): Promise<unknown> {
  const { address, clock, factory, signal } = stage;
  const key = importPrivateKeyPem(claim.privateKeyPem);
  const https = new HttpsClient(
    { anchors: factory.trust.tlsAnchors, certificatePem: claim.certificatePem, key },
    clock,
  );
  try {
    const est = new EstClient(https, { host: address.host, port: address.httpsPort });
    return await est.enroll(serial, await generatePrivateKey('P-256'), signal);
  } finally {
    https.close();
  }
}
