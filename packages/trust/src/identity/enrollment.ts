import { HoldfastError } from '@holdfast/kernel';
import { actorOf, type ClaimPrincipal, type DevicePrincipal } from '../principal.ts';
import { readApplicant } from './certificate-request.ts';
import { refusalOfCertificate, refusalOfDevice } from './certificate-standing.ts';
import { ClaimEnrollment, type ClaimEnrollmentPorts } from './claim-enrollment.ts';
import type {
  CertificateWish,
  DirectEnrollment,
  EnrollmentContext,
  EnrollmentDoor,
  PendingCertificate,
  Registration,
  RegistrationWish,
  ServerKeyDoor,
} from './contracts.ts';
import { deviceOrder } from './device-order.ts';
import { EnrollmentApprovals } from './enrollment-approvals.ts';
import { EnrollmentGate, type EnrollmentGatePorts } from './enrollment-gate.ts';
import { EnrollmentRecords } from './enrollment-records.ts';
import { EstEnrollment, type EstEnrollmentPorts } from './est-enrollment.ts';
import { onFreshRead } from './fresh-read.ts';
import { deviceUri } from './names.ts';

export type EnrollmentPorts = ClaimEnrollmentPorts & EstEnrollmentPorts & EnrollmentGatePorts;

const SWEEP = 500;

/** Gives devices their identity. Every door ends here, so that every door has the same rules. */
export class Enrollment implements EnrollmentDoor, ServerKeyDoor {
  readonly #ports: EnrollmentPorts;
  readonly #records: EnrollmentRecords;
  readonly #gate: EnrollmentGate;
  readonly #twoSteps: ClaimEnrollment;
  readonly #oneStep: EstEnrollment;
  readonly #approvals: EnrollmentApprovals;

  constructor(ports: EnrollmentPorts) {
    this.#ports = ports;
    this.#records = new EnrollmentRecords(ports);
    this.#gate = new EnrollmentGate(ports, this.#records);
    this.#approvals = new EnrollmentApprovals(ports);
    const parts = { records: this.#records, gate: this.#gate, approvals: this.#approvals };
    this.#twoSteps = new ClaimEnrollment(ports, parts);
    this.#oneStep = new EstEnrollment(ports, parts);
  }

  createCertificate(
    principal: ClaimPrincipal,
    wish: CertificateWish,
    context: EnrollmentContext,
  ): Promise<PendingCertificate> {
    return this.#twoSteps.createCertificate(principal, wish, context);
  }

  registerThing(principal: ClaimPrincipal, wish: RegistrationWish, context: EnrollmentContext): Promise<Registration> {
    return this.#twoSteps.registerThing(principal, wish, context);
  }

  enrollDirect(principal: ClaimPrincipal, csrDer: Uint8Array, context: EnrollmentContext): Promise<DirectEnrollment> {
    return this.#oneStep.enroll(principal, csrDer, context, 'device');
  }

  enrollWithServerKey(
    principal: ClaimPrincipal,
    csrDer: Uint8Array,
    context: EnrollmentContext,
  ): Promise<DirectEnrollment> {
    return this.#oneStep.enroll(principal, csrDer, context, 'server');
  }

  async renew(principal: DevicePrincipal, csrDer: Uint8Array, context: EnrollmentContext): Promise<Uint8Array> {
    const asking = { principal, context };
    const { tenant, deviceId } = principal;
    const { devices, certificates, products, keyOwners, authority, clock } = this.#ports;
    const asked = await readApplicant({ csrDer }, context);
    return onFreshRead(async () => {
      const now = clock.now();
      const device = await devices.find(tenant, deviceId);
      const current = await certificates.find(principal.fingerprint);
      const code = refusalOfCertificate(current, now) ?? refusalOfDevice(device);
      if (code !== undefined || !device || current?.subjectId !== deviceId) {
        throw new HoldfastError(code ?? 'identity.unknown_certificate');
      }
      const owner = asked && (await keyOwners.find(asked.spkiSha256));
      const history = { owner, unused: undefined, reopened: false };
      const ownName = deviceUri(tenant, deviceId);
      const product = await products.find(tenant, device.product);
      const applicant = await this.#gate.demandKey(asking, { applicant: asked, history, ownName, product });
      const successor = (await certificates.ofDevice(tenant, deviceId)).find(({ state }) => state === 'successor');
      // The answer was lost and the device asks again with the same key.
      if (successor?.spkiSha256 === applicant.spkiSha256) return successor.der;
      const { der } = await authority.issue(
        {
          ...deviceOrder(applicant, { tenant, deviceId, product }),
          state: 'successor',
          claimId: undefined,
          door: context.door,
          actor: actorOf(principal),
          preceding: [
            // Guards: a device or certificate that lost its standing while the new one was signed gets nothing.
            devices.changing(device, {}),
            certificates.changing(current, {}),
            ...(successor ? this.#records.abandoning(successor, now) : []),
          ],
        },
        ({ spkiSha256 }) => this.#records.owning(owner, { spkiSha256, tenant, kind: 'device', id: deviceId }),
      );
      return der;
    });
  }

  /** Requests that wait for an operator. */
  get approvals(): EnrollmentApprovals {
    return this.#approvals;
  }

  /** Gives up certificates whose hour has passed; called on a timer. @returns how many */
  async sweep(): Promise<number> {
    const { tokens, certificates, store, audit, clock } = this.#ports;
    const now = clock.now();
    const expired = await tokens.expired(now, SWEEP);
    await this.#approvals.sweep(now);
    for (const { tenant, claimId, fingerprint } of expired) {
      const certificate = await certificates.find(fingerprint);
      const isPending = certificate?.state === 'pending';
      await store.commit([
        ...(isPending ? this.#records.abandoning(certificate, now) : [tokens.voiding(fingerprint)]),
        audit.entry({
          tenant,
          actor: 'system',
          action: isPending ? 'certificate.abandoned' : 'token.expired',
          subject: fingerprint,
          details: { claim: claimId },
        }),
      ]);
    }
    return expired.length;
  }
}
