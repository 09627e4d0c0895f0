import { fingerprint, sha256, validatePath } from '@holdfast/crypto';
import { type Clock, encodeHex, type EpochMs, type ErrorCode, HoldfastError } from '@holdfast/kernel';
import { type Certificate, decodeCertificate, OID } from '@holdfast/wire/x509';
import type {
  CertificateRecord,
  Fingerprint,
  KeyOwner,
  ManufacturerRecord,
  ManufacturerRepository,
  Store,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';
import type { EnrollmentContext, Newcomers, PresentedChain } from './contracts.ts';
import { type Grantor, judge, REGISTRATION_RULES, type RegistrationFacts } from './enrollment-policy.ts';
import { deviceIdOf, type EnrollmentRecordPorts, EnrollmentRecords } from './enrollment-records.ts';
import { onFreshRead } from './fresh-read.ts';
import { JIT_RULES } from './jit-policy.ts';
import { foreignRecord, pseudoParametersOf } from './manufacturer-certificates.ts';
import { MAX_PENDING } from './manufacturers.ts';
import { RateLimit } from './rate-limit.ts';
import { RefusalPace } from './refusal-pace.ts';

export interface JitRegistrationPorts extends EnrollmentRecordPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly manufacturers: ManufacturerRepository;
}

/** What an operator decides of a certificate that waits. */
export type ActivationWish =
  | { readonly deviceId: string; readonly template?: undefined }
  /** A JITP template of the authority's product. */
  | { readonly deviceId?: undefined; readonly template: string };

export interface Activation {
  readonly deviceId: string;
  readonly certificate: CertificateRecord;
}

/** A production line stays below; each unknown certificate costs a path validation. */
const RATE = { burst: 200, perSecond: 50 };
const MAX_CHAIN = 4;

interface Newcomer {
  readonly certificate: Certificate;
  readonly manufacturer: ManufacturerRecord;
  readonly spkiSha256: string;
  readonly context: EnrollmentContext;
  readonly now: EpochMs;
}

/**
 * Registers devices by the certificate they connect with, when a registered authority issued it.
 *
 * JITP registers by the authority's template at once; JITR, or a product whose devices an operator approves, keeps the
 * certificate for an operator.
 */
export class JitRegistration implements Newcomers {
  readonly #ports: JitRegistrationPorts;
  readonly #records: EnrollmentRecords;
  readonly #rate = new RateLimit(RATE);
  readonly #pace: RefusalPace;

  constructor(ports: JitRegistrationPorts) {
    this.#ports = ports;
    this.#records = new EnrollmentRecords(ports);
    this.#pace = new RefusalPace(ports.clock);
  }

  async meet(presented: PresentedChain, context: EnrollmentContext): Promise<void> {
    const { clock } = this.#ports;
    if (this.#rate.take('all', clock.monotonicMs()) !== 'taken') throw new HoldfastError('identity.rate_limited');
    const now = clock.now();
    const found = await this.#issuerOf(presented, now);
    if (found === undefined) return;
    const { certificate, manufacturer } = found;
    const spkiSha256 = encodeHex(sha256(certificate.spki.raw));
    await onFreshRead(() => this.#take({ certificate, manufacturer, spkiSha256, context, now }));
  }

  /**
   * Lets a certificate in that waits for an operator.
   *
   * @throws `identity.no_such_certificate`, `identity.not_pending`, and every refusal of the enrollment policy table
   */
  activate(principal: OperatorPrincipal, id: Fingerprint, wish: ActivationWish): Promise<Activation> {
    return onFreshRead(async () => {
      const { certificates, manufacturers, store, clock } = this.#ports;
      const record = await certificates.find(id);
      if (record?.tenant !== principal.tenant) throw new HoldfastError('identity.no_such_certificate');
      const manufacturer = await manufacturers.find(principal.tenant, record.issuer);
      if (record.state !== 'pending' || manufacturer === undefined) throw new HoldfastError('identity.not_pending');
      if (manufacturer.state === 'revoked') throw new HoldfastError('identity.manufacturer_inactive');
      const certificate = decodeCertificate(record.der);
      const context: EnrollmentContext = { connectionId: 'operator', remoteAddress: '', door: 'aws-jit' };
      const { spkiSha256 } = record;
      const newcomer: Newcomer = { certificate, manufacturer, spkiSha256, context, now: clock.now() };
      const facts = await this.#facts(newcomer, {
        grantor: { kind: 'operator', actor: actorOf(principal) },
        template: wish.template,
        serialNumber: wish.deviceId ?? '',
      });
      await this.#demand(newcomer, facts);
      const deviceId = deviceIdOf(facts);
      await store.commit([
        certificates.changing(record, { state: 'active', subjectId: deviceId }),
        ...this.#records.registering(facts, record, context),
      ]);
      return { deviceId, certificate: { ...record, state: 'active', subjectId: deviceId } };
    });
  }

  /** The registered authority a chain leads to; undefined when it leads to none of them. */
  async #issuerOf(
    { leafDer, chainDer }: PresentedChain,
    now: EpochMs,
  ): Promise<{ readonly certificate: Certificate; readonly manufacturer: ManufacturerRecord } | undefined> {
    const { manufacturers, certificates } = this.#ports;
    const anchors = (await manufacturers.trusted()).map(decodeCertificate);
    if (anchors.length === 0) return undefined;
    const certificate = decodeCertificate(leafDer);
    const verdict = validatePath({
      leaf: certificate,
      intermediates: chainDer.slice(0, MAX_CHAIN).map(decodeCertificate),
      anchors,
      now,
      purpose: OID.clientAuth,
    });
    if (verdict.kind === 'invalid') throw new HoldfastError('identity.untrusted_chain', { reason: verdict.reason });
    const anchor = verdict.path.at(-1);
    const record = anchor && (await certificates.find(fingerprint(anchor.raw)));
    const manufacturer = record && (await manufacturers.find(record.tenant, record.fingerprint));
    return manufacturer && { certificate, manufacturer };
  }

  async #take(newcomer: Newcomer): Promise<void> {
    const { manufacturer, certificate, spkiSha256, context, now } = newcomer;
    const { certificates, keyOwners } = this.#ports;
    if (await certificates.find(fingerprint(certificate.raw))) return;
    const verdict = judge(JIT_RULES, {
      manufacturer,
      isAuthority: certificate.known.basicConstraints?.ca === true,
      owner: await keyOwners.find(spkiSha256),
    });
    if (verdict.kind === 'refused') return this.#refuse(newcomer, verdict);
    const record = (state: 'active' | 'pending', subjectId: string | undefined) =>
      foreignRecord(certificate, {
        tenant: manufacturer.tenant,
        profile: 'device',
        state,
        issuer: manufacturer.fingerprint,
        subjectId,
        door: context.door,
        issuedAt: now,
      });
    if (await this.#awaitsOperator(manufacturer)) return this.#keep(newcomer, record('pending', undefined));
    const facts = await this.#facts(newcomer, {
      grantor: { kind: 'manufacturer', actor: actorName(manufacturer), manufacturer },
      template: manufacturer.template,
      serialNumber: '',
    });
    await this.#demand(newcomer, facts);
    const active = record('active', deviceIdOf(facts));
    await this.#ports.store.commit([
      certificates.inserting(active),
      ...this.#records.registering(facts, active, context),
    ]);
  }

  /** A template does not decide where the product's terms leave that to an operator, whichever door a device comes by. */
  async #awaitsOperator({ registration, tenant, product }: ManufacturerRecord): Promise<boolean> {
    if (registration === 'jitr') return true;
    return (await this.#ports.products.find(tenant, product))?.enrollment.approval === 'operator';
  }

  /** JITR: known from now on, and worth nothing until an operator says so. */
  async #keep(newcomer: Newcomer, record: CertificateRecord): Promise<void> {
    const { store, audit, outbox, certificates, keyOwners, manufacturers } = this.#ports;
    const { manufacturer, spkiSha256, context } = newcomer;
    const { tenant, fingerprint: issuer } = manufacturer;
    const waiting = await certificates.pendingOfIssuer(tenant, issuer, MAX_PENDING);
    if (waiting.length >= MAX_PENDING) {
      return this.#refuse(newcomer, { code: 'identity.pending_full', rule: 'pending-in-number', audit: REFUSED });
    }
    await store.commit([
      manufacturers.guarding(manufacturer),
      certificates.inserting(record),
      keyOwners.inserting({ spkiSha256, tenant, kind: 'pending', id: issuer }),
      audit.entry({
        tenant,
        actor: actorName(manufacturer),
        action: 'certificate.registered',
        subject: record.fingerprint,
        details: { door: context.door, remoteAddress: context.remoteAddress, serialNumber: record.serialNumber },
      }),
      outbox.event({ tenant, name: 'certificate.registered', subject: record.fingerprint, data: { issuer } }),
    ]);
  }

  /** The same facts as at every other door; the claim in them stands for this one registration. */
  async #facts(
    { certificate, manufacturer, spkiSha256, now }: Newcomer,
    of: { readonly grantor: Grantor; readonly template: string | undefined; readonly serialNumber: string },
  ): Promise<RegistrationFacts> {
    const { products, keyOwners } = this.#ports;
    const { tenant, fingerprint: id, product, hardwareRevision } = manufacturer;
    const pseudo = pseudoParametersOf(certificate);
    const serialNumber = pseudo['AWS::IoT::Certificate::SerialNumber'];
    const owner: KeyOwner | undefined = await keyOwners.find(spkiSha256);
    return this.#records.registrationFacts(
      {
        now,
        claim: onceOnly({ tenant, id, product, hardwareRevision, template: of.template, now }),
        product: await products.find(tenant, product),
        grantor: of.grantor,
      },
      {
        serialNumber: of.serialNumber,
        template: undefined,
        owner,
        provisioning: {
          parameters: serialNumber === undefined ? {} : { SerialNumber: serialNumber },
          pseudo,
          certificate: { fingerprint: fingerprint(certificate.raw), der: certificate.raw },
        },
      },
    );
  }

  async #demand(newcomer: Newcomer, facts: RegistrationFacts): Promise<void> {
    const verdict = judge(REGISTRATION_RULES, facts);
    if (verdict.kind === 'refused') await this.#refuse(newcomer, verdict);
  }

  async #refuse(
    { manufacturer, certificate, spkiSha256, context }: Newcomer,
    refusal: { readonly code: ErrorCode; readonly rule: string; readonly audit: string },
  ): Promise<never> {
    const pace = this.#pace.take(manufacturer.fingerprint);
    const { code, rule, audit: action } = refusal;
    if (pace !== undefined) {
      await this.#ports.store.commit([
        this.#ports.audit.entry({
          tenant: manufacturer.tenant,
          actor: actorName(manufacturer),
          action,
          subject: fingerprint(certificate.raw),
          details: { code, rule, door: context.door, remoteAddress: context.remoteAddress, key: spkiSha256, ...pace },
        }),
      ]);
    }
    throw new HoldfastError(code, { rule });
  }
}

const REFUSED = 'enrollment.refused';

const actorName = ({ fingerprint: id }: ManufacturerRecord): string => `manufacturer:${id}`;

/** What the policy tables read of a claim, for a registration that has none. */
export function onceOnly(of: {
  readonly tenant: string;
  /** Whose pending keys it may register. */
  readonly id: string;
  readonly product: string;
  readonly hardwareRevision: string;
  readonly template: string | undefined;
  readonly now: EpochMs;
}): RegistrationFacts['claim'] {
  const { tenant, id, product, hardwareRevision, template, now } = of;
  return {
    tenant,
    claimId: id,
    product,
    hardwareRevision,
    groups: [],
    fingerprint: id,
    state: 'active',
    scope: 'quota',
    quota: 1,
    used: 0,
    expiresAt: now + 1,
    autoRegister: true,
    createdAt: now,
    createdBy: id,
    template,
  };
}
