import { sha256 } from '@holdfast/crypto';
import { type Clock, encodeBase64Url, encodeHex, encodeUtf8, type Random } from '@holdfast/kernel';
import type { CertificateRecord, DeviceId, OwnershipToken, Store, Write } from '../ports/index.ts';
import { actorOf, type ClaimPrincipal } from '../principal.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { type Applicant, readApplicant } from './certificate-request.ts';
import type {
  CertificateWish,
  EnrollmentContext,
  PendingCertificate,
  Registration,
  RegistrationWish,
} from './contracts.ts';
import type { EnrollmentApprovals } from './enrollment-approvals.ts';
import type { Asking, EnrollmentGate } from './enrollment-gate.ts';
import { type ClaimFacts, QUOTA_RULES, REGISTRATION_RULES } from './enrollment-policy.ts';
import {
  deviceIdOf,
  type EnrollmentRecordPorts,
  type EnrollmentRecords,
  type KeyHistory,
} from './enrollment-records.ts';
import type { EstEnrollmentParts } from './est-enrollment.ts';
import { onFreshRead } from './fresh-read.ts';
import { lifetimeOf } from './issuance-profiles.ts';
import { deviceUri } from './names.ts';
import { planIn } from './registration-order.ts';
import type { TemplatePlan } from './template-plan.ts';

export interface ClaimEnrollmentPorts extends EnrollmentRecordPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly authority: Pick<CertificateAuthority, 'issue'>;
}

const TOKEN_LIFE_MS = 3_600_000;
const TOKEN_BYTES = 32;

/** Enrollment in two steps, as AWS fleet provisioning has it: a certificate first, then the device it is for. */
export class ClaimEnrollment {
  readonly #ports: ClaimEnrollmentPorts;
  readonly #records: EnrollmentRecords;
  readonly #gate: EnrollmentGate;
  readonly #approvals: EnrollmentApprovals;
  /** Tells connections of this process from those of another or of the one before, whose numbers are the same. */
  readonly #process: string;

  constructor(ports: ClaimEnrollmentPorts, { records, gate, approvals }: EstEnrollmentParts) {
    this.#ports = ports;
    this.#records = records;
    this.#gate = gate;
    this.#approvals = approvals;
    this.#process = encodeHex(ports.random.bytes(8));
  }

  async createCertificate(
    principal: ClaimPrincipal,
    wish: CertificateWish,
    context: EnrollmentContext,
  ): Promise<PendingCertificate> {
    const asking = { principal, context };
    await this.#gate.limit(asking);
    const asked = await readApplicant(wish, context);
    return onFreshRead(async () => {
      const facts = await this.#gate.claimFacts(asking);
      const history = await this.#gate.keyHistory(principal, asked);
      const serial = await this.#records.expectedSerial(facts.claim, undefined);
      const ownName = serial.kind === 'named' ? deviceUri(principal.tenant, serial.serialNumber) : undefined;
      const applicant = await this.#gate.demandKey(asking, {
        applicant: asked,
        history,
        ownName,
        product: facts.product,
      });
      const { token, writeFor } = this.#newToken(asking);
      const certificate = await (history.unused
        ? this.#offerAgain(history.unused.certificate, writeFor)
        : this.#issuePending(asking, { facts, history, applicant, writeFor }));
      return {
        certificateId: certificate.fingerprint,
        certificateDer: certificate.der,
        privateKeyPkcs8: applicant.privateKeyPkcs8,
        ownershipToken: token,
      };
    });
  }

  async registerThing(
    principal: ClaimPrincipal,
    wish: RegistrationWish,
    context: EnrollmentContext,
  ): Promise<Registration> {
    const asking = { principal, context };
    await this.#gate.limit(asking);
    return onFreshRead(async () => {
      const claimFacts = await this.#gate.claimFacts(asking);
      const token = await this.#validToken(asking, wish.ownershipToken);
      const serialNumber = wish.parameters['SerialNumber'] ?? '';
      // A template names the device by whatever parameter it likes.
      if (serialNumber === '' && claimFacts.claim.template === undefined) {
        return this.#gate.refuse(asking, 'identity.serial_required', 'serial');
      }
      const certificate = await this.#ports.certificates.find(token.fingerprint);
      const { parameters } = wish;
      if (certificate?.state !== 'pending') {
        return this.#registeredBefore(asking, { token, certificate, parameters, facts: claimFacts });
      }
      const facts = await this.#records.registrationFacts(claimFacts, {
        serialNumber,
        template: wish.template,
        owner: await this.#ports.keyOwners.find(certificate.spkiSha256),
        provisioning: { parameters, certificate, clientId: context.clientId },
      });
      await this.#gate.demand(REGISTRATION_RULES, facts, asking, certificate.spkiSha256);
      const approved = await this.#approvals.demand(asking, facts, certificate.spkiSha256);
      const deviceId = deviceIdOf(facts);
      await this.#ports.store.commit([
        ...(approved ? this.#approvals.ending(approved, certificate.fingerprint) : []),
        this.#ports.tokens.using(token.tokenSha256, deviceId),
        this.#ports.certificates.changing(certificate, { state: 'active', subjectId: deviceId }),
        ...this.#records.registering(facts, certificate, context),
      ]);
      return registrationOf(deviceId, facts, planIn(facts));
    });
  }

  async #offerAgain(
    certificate: CertificateRecord,
    writeFor: (certificate: CertificateRecord) => Write,
  ): Promise<CertificateRecord> {
    await this.#ports.store.commit([writeFor(certificate)]);
    return certificate;
  }

  async #issuePending(
    asking: Asking<ClaimPrincipal>,
    given: {
      readonly facts: ClaimFacts;
      readonly history: KeyHistory;
      readonly applicant: Applicant;
      readonly writeFor: (certificate: CertificateRecord) => Write;
    },
  ): Promise<CertificateRecord> {
    const { facts, history, applicant, writeFor } = given;
    const { principal, context } = asking;
    const { tenant, claimId } = principal;
    await this.#gate.demand(QUOTA_RULES, facts, asking, applicant.spkiSha256);
    return this.#ports.authority.issue(
      {
        profile: 'device',
        publicKey: applicant.publicKey,
        // Which device it will be is not known yet; the registry is where a certificate gets its device.
        commonName: `Holdfast device ${applicant.spkiSha256.slice(0, 16)}`,
        names: [],
        ...lifetimeOf(facts.product),
        state: 'pending',
        subjectId: undefined,
        claimId,
        keyOrigin: applicant.keyOrigin,
        door: context.door,
        actor: actorOf(principal),
        preceding: await this.#makingRoom(facts, applicant),
      },
      (record) => [
        writeFor(record),
        ...this.#records.owning(history.owner, { spkiSha256: record.spkiSha256, tenant, kind: 'pending', id: claimId }),
      ],
    );
  }

  /** Gives up pending certificates of the same key, and the oldest beyond what the claim may still register. */
  async #makingRoom({ claim, now }: ClaimFacts, { spkiSha256 }: Applicant): Promise<readonly Write[]> {
    const pending = await this.#ports.certificates.pendingOfClaim(claim.tenant, claim.claimId);
    const sameKey = pending.filter((each) => each.spkiSha256 === spkiSha256);
    const others = pending.filter((each) => each.spkiSha256 !== spkiSha256);
    const tooMany = Math.max(0, others.length + 1 - (claim.quota - claim.used));
    return [...sameKey, ...others.slice(0, tooMany)].flatMap((each) => this.#records.abandoning(each, now));
  }

  #newToken({ principal, context }: Asking<ClaimPrincipal>): {
    readonly token: string;
    readonly writeFor: (certificate: CertificateRecord) => Write;
  } {
    const token = encodeBase64Url(this.#ports.random.bytes(TOKEN_BYTES));
    const expiresAt = this.#ports.clock.now() + TOKEN_LIFE_MS;
    return {
      token,
      writeFor: ({ fingerprint }) =>
        this.#ports.tokens.inserting({
          tokenSha256: tokenHash(token),
          tenant: principal.tenant,
          claimId: principal.claimId,
          connectionId: this.#connection(context),
          fingerprint,
          state: 'open',
          expiresAt,
          deviceId: undefined,
        }),
    };
  }

  async #validToken(asking: Asking<ClaimPrincipal>, text: string): Promise<OwnershipToken> {
    const { principal, context } = asking;
    const token = await this.#ports.tokens.find(tokenHash(text));
    const isGood =
      token !== undefined &&
      token.tenant === principal.tenant &&
      token.claimId === principal.claimId &&
      token.connectionId === this.#connection(context) &&
      token.state !== 'void' &&
      this.#ports.clock.now() < token.expiresAt;
    return isGood ? token : this.#gate.refuse(asking, 'identity.bad_token', 'token');
  }

  #connection({ connectionId }: EnrollmentContext): string {
    return `${this.#process} ${connectionId}`;
  }

  /** The answer was lost, or the certificate was offered again: the same answer, nothing done twice. */
  async #registeredBefore(
    asking: Asking<ClaimPrincipal>,
    given: {
      readonly token: OwnershipToken;
      readonly certificate: CertificateRecord | undefined;
      readonly parameters: RegistrationWish['parameters'];
      readonly facts: ClaimFacts;
    },
  ): Promise<Registration> {
    const { token, certificate, parameters, facts } = given;
    const hasTemplate = facts.claim.template !== undefined;
    const plan = hasTemplate ? await this.#records.planAgain(facts, { parameters, certificate }) : undefined;
    const deviceId = certificate?.state === 'active' ? certificate.subjectId : undefined;
    const device = deviceId ? await this.#ports.devices.find(asking.principal.tenant, deviceId) : undefined;
    const serialNumber = hasTemplate ? plan?.serialNumber : parameters['SerialNumber'];
    // A hook may have named the device otherwise than its parameters do.
    const isNamed = device?.serialNumber === serialNumber || plan?.template.webhook !== undefined;
    if (!device || device.state !== 'active' || !isNamed) {
      return this.#gate.refuse(asking, 'identity.bad_token', 'token');
    }
    if (token.state === 'open') {
      await this.#ports.store.commit([this.#ports.tokens.using(token.tokenSha256, device.deviceId)]);
    }
    return registrationOf(device.deviceId, facts, plan);
  }
}

function registrationOf(deviceId: DeviceId, { product }: ClaimFacts, plan: TemplatePlan | undefined): Registration {
  return { deviceId, deviceConfiguration: plan?.deviceConfiguration ?? product?.deviceConfiguration ?? {} };
}

function tokenHash(token: string): string {
  return encodeHex(sha256(encodeUtf8(token)));
}
