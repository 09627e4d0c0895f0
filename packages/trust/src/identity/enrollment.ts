import { HoldfastError } from '@holdfast/kernel';
import type { DeviceId, ProductRecord, Tenant } from '../ports/index.ts';
import { actorOf, type ClaimPrincipal, type DevicePrincipal } from '../principal.ts';
import { type Applicant, readApplicant } from './certificate-request.ts';
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
} from './contracts.ts';
import { EnrollmentGate, type EnrollmentGatePorts } from './enrollment-gate.ts';
import { QUOTA_RULES, REGISTRATION_RULES } from './enrollment-policy.ts';
import { deviceIdOf, EnrollmentRecords } from './enrollment-records.ts';
import { onFreshRead } from './fresh-read.ts';
import { lifetimeOf } from './issuance-profiles.ts';
import { deviceUri } from './names.ts';

export type EnrollmentPorts = ClaimEnrollmentPorts & EnrollmentGatePorts;

const SWEEP = 500;

/** Gives devices their identity. Every door ends here, so that every door has the same rules. */
export class Enrollment implements EnrollmentDoor {
  readonly #ports: EnrollmentPorts;
  readonly #records: EnrollmentRecords;
  readonly #gate: EnrollmentGate;
  readonly #twoSteps: ClaimEnrollment;

  constructor(ports: EnrollmentPorts) {
    this.#ports = ports;
    this.#records = new EnrollmentRecords(ports);
    this.#gate = new EnrollmentGate(ports, this.#records);
    this.#twoSteps = new ClaimEnrollment(ports, this.#records, this.#gate);
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

  async enrollDirect(
    principal: ClaimPrincipal,
    csrDer: Uint8Array,
    context: EnrollmentContext,
  ): Promise<DirectEnrollment> {
    const asking = { principal, context };
    await this.#gate.limit(asking);
    const asked = await readApplicant({ csrDer }, context);
    return onFreshRead(async () => {
      const claimFacts = await this.#gate.claimFacts(asking);
      const history = await this.#gate.keyHistory(principal, asked);
      const serial = await this.#records.expectedSerial(claimFacts.claim, asked?.spkiSha256);
      const expected = history.unused?.device.deviceId ?? (serial.kind === 'named' ? serial.serialNumber : undefined);
      const ownName = expected === undefined ? undefined : deviceUri(principal.tenant, expected);
      const applicant = await this.#gate.demandKey(asking, { applicant: asked, history, ownName });
      if (history.unused) {
        return { deviceId: history.unused.device.deviceId, certificateDer: history.unused.certificate.der };
      }
      await this.#gate.demand(QUOTA_RULES, claimFacts, asking, applicant.spkiSha256);
      if (serial.kind === 'open') return this.#gate.refuse(asking, serial.code, 'serial');
      const facts = await this.#records.registrationFacts(claimFacts, {
        serialNumber: serial.serialNumber,
        template: context.template,
        owner: history.owner,
      });
      await this.#gate.demand(REGISTRATION_RULES, facts, asking, applicant.spkiSha256);
      const deviceId = deviceIdOf(facts);
      const pending = await this.#ports.certificates.pendingOfClaim(principal.tenant, principal.claimId);
      const certificate = await this.#ports.authority.issue(
        {
          ...deviceOrder(applicant, { tenant: principal.tenant, deviceId, product: facts.product }),
          state: 'active',
          claimId: principal.claimId,
          door: context.door,
          actor: actorOf(principal),
          // One key, one certificate: what the other door made for it is given up.
          preceding: pending
            .filter(({ spkiSha256 }) => spkiSha256 === applicant.spkiSha256)
            .flatMap((each) => this.#records.abandoning(each, facts.now)),
        },
        (record) => this.#records.registering(facts, record, context),
      );
      return { deviceId, certificateDer: certificate.der };
    });
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
      const applicant = await this.#gate.demandKey(asking, { applicant: asked, history, ownName });
      const successor = (await certificates.ofDevice(tenant, deviceId)).find(({ state }) => state === 'successor');
      // The answer was lost and the device asks again with the same key.
      if (successor?.spkiSha256 === applicant.spkiSha256) return successor.der;
      const product = await products.find(tenant, device.product);
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

  /** Gives up certificates whose hour has passed; called on a timer. @returns how many */
  async sweep(): Promise<number> {
    const { tokens, certificates, store, audit, clock } = this.#ports;
    const now = clock.now();
    const expired = await tokens.expired(now, SWEEP);
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

function deviceOrder(
  applicant: Applicant,
  given: { readonly tenant: Tenant; readonly deviceId: DeviceId; readonly product: ProductRecord | undefined },
) {
  const { tenant, deviceId, product } = given;
  return {
    profile: 'device',
    publicKey: applicant.publicKey,
    // RFC 5280 bounds a common name to 64; the URI names the device in full.
    commonName: deviceId.slice(0, 64),
    names: [{ kind: 'uri', text: deviceUri(tenant, deviceId) }],
    ...lifetimeOf(product),
    subjectId: deviceId,
    keyOrigin: applicant.keyOrigin,
  } as const;
}
