import type { Clock } from '@holdfast/kernel';
import type {
  CertificateRecord,
  DeviceRecord,
  EnrollmentRequest,
  EnrollmentRequestRepository,
  OneTimePassword,
  OneTimePasswordRepository,
  Store,
  Write,
} from '../ports/index.ts';
import { actorOf, type ClaimPrincipal } from '../principal.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { type Applicant, readApplicant, withServerKey } from './certificate-request.ts';
import type { DirectEnrollment, EnrollmentContext } from './contracts.ts';
import { deviceOrder } from './device-order.ts';
import type { EnrollmentApprovals } from './enrollment-approvals.ts';
import type { Asking, EnrollmentGate } from './enrollment-gate.ts';
import { type ClaimFacts, QUOTA_RULES, REGISTRATION_RULES, type RegistrationFacts } from './enrollment-policy.ts';
import {
  deviceIdOf,
  type EnrollmentRecordPorts,
  type EnrollmentRecords,
  type KeyHistory,
} from './enrollment-records.ts';
import { onFreshRead } from './fresh-read.ts';
import { deviceUri } from './names.ts';
import { consuming, opensFor } from './one-time-passwords.ts';

export interface EstEnrollmentPorts extends EnrollmentRecordPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly authority: Pick<CertificateAuthority, 'issue'>;
  readonly passwords: Pick<OneTimePasswordRepository, 'find' | 'using'>;
  readonly enrollmentRequests: EnrollmentRequestRepository;
}

/** Parts that every enrollment shares. */
export interface EstEnrollmentParts {
  readonly records: EnrollmentRecords;
  readonly gate: EnrollmentGate;
  readonly approvals: EnrollmentApprovals;
}

interface Asked {
  readonly asking: Asking<ClaimPrincipal>;
  /** Who signed the request; a retry is recognised by this key. */
  readonly requester: Applicant | undefined;
  /** Whose key is certified: the requester's, or one made here. */
  readonly applicant: Applicant | undefined;
  readonly password: OneTimePassword | undefined;
}

/** A certificate nobody used yet, whose answer was lost together with the key in it. */
interface LostAnswer {
  readonly request: EnrollmentRequest;
  readonly certificate: CertificateRecord;
  readonly device: DeviceRecord;
}

const NO_HISTORY: KeyHistory = { owner: undefined, unused: undefined, reopened: false };

/** Enrollment in one step, as EST has it: a request in, a certificate for a device out. */
export class EstEnrollment {
  readonly #ports: EstEnrollmentPorts;
  readonly #records: EnrollmentRecords;
  readonly #gate: EnrollmentGate;
  readonly #approvals: EnrollmentApprovals;

  constructor(ports: EstEnrollmentPorts, { records, gate, approvals }: EstEnrollmentParts) {
    this.#ports = ports;
    this.#records = records;
    this.#gate = gate;
    this.#approvals = approvals;
  }

  /** @param keyFrom - `server`: the key of the request is for recognising a retry, another is made for the device */
  async enroll(
    principal: ClaimPrincipal,
    csrDer: Uint8Array,
    context: EnrollmentContext,
    keyFrom: 'device' | 'server',
  ): Promise<DirectEnrollment> {
    const asking = { principal, context };
    await this.#gate.limit(asking);
    const requester = await readApplicant({ csrDer }, context);
    const applicant = requester && keyFrom === 'server' ? await withServerKey(requester) : requester;
    return onFreshRead(async () => {
      const claimFacts = await this.#gate.claimFacts(asking);
      const password = context.password && (await this.#ports.passwords.find(context.password.passwordId));
      return this.#enroll(claimFacts, { asking, requester, applicant, password });
    });
  }

  async #enroll(claimFacts: ClaimFacts, asked: Asked): Promise<DirectEnrollment> {
    const { asking, requester, password } = asked;
    const { principal } = asking;
    const isServerKey = asked.applicant !== requester;
    const history = isServerKey ? NO_HISTORY : await this.#gate.keyHistory(principal, requester);
    const lost = isServerKey ? await this.#lostAnswer(asked, claimFacts.now) : undefined;
    const issued = history.unused ?? lost;
    await this.#demandPassword(asked, { issued: issued !== undefined, now: claimFacts.now });
    const named =
      password?.serialNumber ?? asking.context.station?.serialNumber ?? asking.context.endorsed?.serialNumber;
    const serial = named
      ? ({ kind: 'named', serialNumber: named } as const)
      : await this.#records.expectedSerial(claimFacts.claim, requester?.spkiSha256);
    const expected = issued?.device.deviceId ?? (serial.kind === 'named' ? serial.serialNumber : undefined);
    const applicant = await this.#gate.demandKey(asking, {
      applicant: asked.applicant,
      history,
      ownName: expected === undefined ? undefined : deviceUri(principal.tenant, expected),
      product: claimFacts.product,
    });
    // A station that asks for one device must not be handed the certificate of another.
    if (issued && serial.kind === 'named' && issued.device.serialNumber !== serial.serialNumber) {
      return this.#gate.refuse(asking, 'identity.key_reuse', 'key-of-this-device');
    }
    if (history.unused) return answerOf(history.unused.device.deviceId, history.unused.certificate, applicant);
    if (lost) return this.#answerAgain(lost, { asking, applicant, claimFacts });
    await this.#gate.demand(QUOTA_RULES, claimFacts, asking, applicant.spkiSha256);
    if (serial.kind === 'open') return this.#gate.refuse(asking, serial.code, 'serial');
    const facts = await this.#records.registrationFacts(claimFacts, {
      serialNumber: serial.serialNumber,
      template: asking.context.template,
      owner: history.owner,
    });
    await this.#gate.demand(REGISTRATION_RULES, facts, asking, applicant.spkiSha256);
    const requestKey = requester?.spkiSha256 ?? applicant.spkiSha256;
    const approved = await this.#approvals.demand(asking, facts, requestKey);
    const noted = approved ?? (isServerKey ? await this.#approvals.find(asking, facts, requestKey) : undefined);
    return this.#issue(facts, { ...asked, applicant, requestKey, noted });
  }

  async #issue(
    facts: RegistrationFacts,
    given: Asked & {
      readonly applicant: Applicant;
      readonly requestKey: string;
      readonly noted: EnrollmentRequest | undefined;
    },
  ): Promise<DirectEnrollment> {
    const { asking, applicant, password, requestKey, noted } = given;
    const { principal, context } = asking;
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
      (record) => [
        ...this.#records.registering(facts, record, context),
        ...(password ? consuming(this.#ports.passwords, password, { key: requestKey, now: facts.now }) : []),
        ...this.#noting(facts, { noted, requestKey, record, asking, isServerKey: applicant.keyOrigin === 'server' }),
      ],
    );
    return answerOf(deviceId, certificate, applicant);
  }

  /** What a retry will be recognised by, where the key that was certified cannot tell. */
  #noting(
    facts: RegistrationFacts,
    given: {
      readonly noted: EnrollmentRequest | undefined;
      readonly requestKey: string;
      readonly record: CertificateRecord;
      readonly asking: Asking<ClaimPrincipal>;
      readonly isServerKey: boolean;
    },
  ): readonly Write[] {
    const { noted, requestKey, record, asking, isServerKey } = given;
    if (noted) return this.#approvals.ending(noted, record.fingerprint);
    return isServerKey ? this.#approvals.answering(asking, facts, requestKey, record.fingerprint) : [];
  }

  /** A key made here is shown once: whoever lost it gets another, and the certificate of the first is given up. */
  async #answerAgain(
    { request, certificate, device }: LostAnswer,
    given: {
      readonly asking: Asking<ClaimPrincipal>;
      readonly applicant: Applicant;
      readonly claimFacts: ClaimFacts;
    },
  ): Promise<DirectEnrollment> {
    const { asking, applicant, claimFacts } = given;
    const { tenant, claimId } = asking.principal;
    const { deviceId } = device;
    const actor = actorOf(asking.principal);
    const issued = await this.#ports.authority.issue(
      {
        ...deviceOrder(applicant, { tenant, deviceId, product: claimFacts.product }),
        state: 'active',
        claimId,
        door: asking.context.door,
        actor,
        preceding: [this.#ports.devices.changing(device, {}), ...this.#records.abandoning(certificate, claimFacts.now)],
      },
      ({ fingerprint, spkiSha256 }) => [
        this.#ports.keyOwners.inserting({ spkiSha256, tenant, kind: 'device', id: deviceId }),
        this.#ports.enrollmentRequests.changing(request, { certificate: fingerprint }),
        this.#ports.audit.entry({
          tenant,
          actor,
          action: 'device.key_replaced',
          subject: deviceId,
          details: { certificate: fingerprint, former: certificate.fingerprint },
        }),
      ],
    );
    return answerOf(deviceId, issued, applicant);
  }

  async #lostAnswer({ asking, requester }: Asked, now: number): Promise<LostAnswer | undefined> {
    const { tenant, claimId } = asking.principal;
    const request = requester && (await this.#ports.enrollmentRequests.issuedTo(tenant, claimId, requester.spkiSha256));
    if (!request?.certificate || now >= request.expiresAt) return undefined;
    const certificate = await this.#ports.certificates.find(request.certificate);
    const isUnused = certificate?.state === 'active' && certificate.firstUsedAt === undefined;
    const device =
      isUnused && certificate.subjectId ? await this.#ports.devices.find(tenant, certificate.subjectId) : undefined;
    return isUnused && device?.state === 'active' ? { request, certificate, device } : undefined;
  }

  /** @throws `identity.bad_password` for one that was used: by another key, or whose certificate is in use */
  async #demandPassword(
    { asking, requester, password }: Asked,
    { issued, now }: { readonly issued: boolean; readonly now: number },
  ): Promise<void> {
    if (asking.context.password === undefined) return;
    const isGood = opensFor(password, requester?.spkiSha256, now) && (password?.state === 'open' || issued);
    if (!isGood) await this.#gate.refuse(asking, 'identity.bad_password', 'password');
  }
}

function answerOf(deviceId: string, certificate: CertificateRecord, applicant: Applicant): DirectEnrollment {
  const { privateKeyPkcs8, encryptFor } = applicant;
  return { deviceId, certificateDer: certificate.der, privateKeyPkcs8, encryptFor };
}
