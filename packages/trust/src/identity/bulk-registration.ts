import { type Clock, HoldfastError } from '@holdfast/kernel';
import { evaluateText, parseProvisioningTemplate } from '@holdfast/wire/aws-iot';
import { decodePemBlocks } from '@holdfast/wire/pem';
import type { CertificateRecord, ProvisioningTemplateRecord, Store } from '../ports/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { type Applicant, readApplicant } from './certificate-request.ts';
import type { EnrollmentContext } from './contracts.ts';
import { deviceOrder } from './device-order.ts';
import {
  type ClaimFacts,
  judge,
  KEY_RULES,
  type KeyFacts,
  type PolicyRule,
  REGISTRATION_RULES,
  type RegistrationFacts,
} from './enrollment-policy.ts';
import { deviceIdOf, type EnrollmentRecordPorts, EnrollmentRecords } from './enrollment-records.ts';
import { onFreshRead } from './fresh-read.ts';
import { onceOnly } from './jit-registration.ts';
import { deviceUri } from './names.ts';

export interface BulkRegistrationPorts extends EnrollmentRecordPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly authority: Pick<CertificateAuthority, 'issue'>;
}

export interface BulkRegistered {
  /** `registered` now, or `already` by the same request before: nothing was done twice. */
  readonly kind: 'registered' | 'already';
  readonly deviceId: string;
  readonly certificate: CertificateRecord;
}

const CSR_LABELS = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']); // RFC 7468 section 7
const CONTEXT: EnrollmentContext = { connectionId: 'operator', remoteAddress: '', door: 'bulk' };

/**
 * Registers one thing by template, parameters and the request in them: what AWS does with each line of a bulk file.
 *
 * @see AWS IoT API reference, StartThingRegistrationTask and RegisterThing
 */
export class BulkRegistration {
  readonly #ports: BulkRegistrationPorts;
  readonly #records: EnrollmentRecords;

  constructor(ports: BulkRegistrationPorts) {
    this.#ports = ports;
    this.#records = new EnrollmentRecords(ports);
  }

  /**
   * @throws `identity.unknown_template` also for one whose certificate is no request; `identity.template_parameters`,
   * `identity.bad_csr`, and every other refusal of the enrollment policy table
   */
  async register(
    principal: OperatorPrincipal,
    name: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<BulkRegistered> {
    const { templates } = this.#ports;
    const template = await templates.find(principal.tenant, name);
    if (template?.kind !== 'jitp') throw new HoldfastError('identity.unknown_template');
    const applicant = await readApplicant({ csrDer: requestIn(template, parameters) }, CONTEXT);
    return onFreshRead(() => this.#register(principal, { template, parameters, applicant }));
  }

  async #register(
    principal: OperatorPrincipal,
    asked: {
      readonly template: ProvisioningTemplateRecord;
      readonly parameters: Readonly<Record<string, string>>;
      readonly applicant: Applicant | undefined;
    },
  ): Promise<BulkRegistered> {
    const { template, parameters, applicant } = asked;
    const { tenant } = principal;
    const claimFacts = await this.#claimFacts(principal, template);
    const before = applicant && (await this.#registeredBefore(tenant, applicant));
    const planned = before && (await this.#records.planAgain(claimFacts, { parameters }));
    if (before && planned?.deviceId === before.deviceId) return { kind: 'already', ...before };
    const facts = await this.#records.registrationFacts(claimFacts, {
      serialNumber: '',
      template: undefined,
      owner: applicant && (await this.#ports.keyOwners.find(applicant.spkiSha256)),
      provisioning: { parameters },
    });
    const reopened = applicant !== undefined && (await this.#isReopened(facts, applicant));
    await this.#demand(KEY_RULES, keyFactsOf(facts, applicant, reopened), { facts, applicant });
    await this.#demand(REGISTRATION_RULES, facts, { facts, applicant });
    if (applicant === undefined) throw new HoldfastError('identity.bad_csr');
    const deviceId = deviceIdOf(facts);
    const certificate = await this.#ports.authority.issue(
      {
        ...deviceOrder(applicant, { tenant, deviceId, product: facts.product }),
        state: 'active',
        claimId: undefined,
        door: CONTEXT.door,
        actor: actorOf(principal),
      },
      (record) => this.#records.registering(facts, record, CONTEXT),
    );
    return { kind: 'registered', deviceId, certificate };
  }

  /** Whether the key is of a device that was re-admitted and was never reported stolen. */
  async #isReopened({ claim }: RegistrationFacts, { spkiSha256 }: Applicant): Promise<boolean> {
    const { tenant, claimId, fingerprint } = claim;
    const asker = { kind: 'claim', tenant, claimId, fingerprint } as const;
    return (await this.#records.keyHistory(asker, spkiSha256)).reopened;
  }

  /** @throws the code of the first row that is broken, after logging it */
  async #demand<Facts>(
    rules: readonly PolicyRule<Facts>[],
    asked: Facts,
    about: { readonly facts: RegistrationFacts; readonly applicant: Applicant | undefined },
  ): Promise<void> {
    const verdict = judge(rules, asked);
    if (verdict.kind === 'allowed') return;
    const { code, rule, audit: action } = verdict;
    const { claim, grantor } = about.facts;
    const actor = grantor?.actor ?? '';
    await this.#ports.store.commit([
      this.#ports.audit.entry({
        tenant: claim.tenant,
        actor,
        action,
        subject: claim.template ?? actor,
        details: { code, rule, door: CONTEXT.door, key: about.applicant?.spkiSha256 ?? null },
      }),
    ]);
    throw new HoldfastError(code, { rule });
  }

  /** The device that has this very key already, and its certificate that is in force. */
  async #registeredBefore(tenant: string, { spkiSha256 }: Applicant) {
    const { keyOwners, certificates } = this.#ports;
    const owner = await keyOwners.find(spkiSha256);
    if (owner?.kind !== 'device' || owner.tenant !== tenant) return undefined;
    const own = await certificates.ofDevice(tenant, owner.id);
    const certificate = own.find(
      (each) => each.spkiSha256 === spkiSha256 && each.state === 'active' && each.door === CONTEXT.door,
    );
    return certificate && { deviceId: owner.id, certificate };
  }

  /** The claim in it stands for this one registration. */
  async #claimFacts(principal: OperatorPrincipal, template: ProvisioningTemplateRecord): Promise<ClaimFacts> {
    const { clock, products } = this.#ports;
    const { tenant } = principal;
    const now = clock.now();
    const product = await products.find(tenant, template.product);
    const actor = actorOf(principal);
    const claim = onceOnly({
      tenant,
      id: actor,
      product: template.product,
      hardwareRevision: product?.hardwareRevisions[0] ?? '',
      template: template.name,
      now,
    });
    return { now, claim, product, grantor: { kind: 'operator', actor } };
  }
}

function keyFactsOf(facts: RegistrationFacts, applicant: Applicant | undefined, reopenedOwner: boolean): KeyFacts {
  return {
    request: applicant?.request,
    ownName: deviceUri(facts.claim.tenant, deviceIdOf(facts)),
    owner: facts.owner,
    asker: { kind: 'claim', claimId: facts.claim.claimId, reopenedOwner, retry: false },
    binding: 'absent',
    isBindable: false,
    keyOrigin: 'device',
    door: CONTEXT.door,
    terms: facts.product?.enrollment,
  };
}

/** The request that the template's certificate names. */
function requestIn({ body, kind }: ProvisioningTemplateRecord, given: Readonly<Record<string, string>>): Uint8Array {
  const template = parseProvisioningTemplate(body, kind);
  const { certificate, mappings } = template;
  if (certificate.source !== 'csr') throw new HoldfastError('identity.unknown_template', { reason: 'no request' });
  const defaults = [...template.parameters].flatMap(([name, text]) =>
    text === undefined ? [] : [[name, text] as const],
  );
  const parameters = new Map([...defaults, ...Object.entries(given)]);
  try {
    const pem = evaluateText(certificate.value, { parameters, mappings }, 'CertificateSigningRequest');
    const [block, ...more] = decodePemBlocks(pem);
    if (block === undefined || more.length > 0 || !CSR_LABELS.has(block.label))
      throw new HoldfastError('identity.bad_csr');
    return block.bytes;
  } catch (error) {
    if (HoldfastError.is(error, 'wire.malformed') && error.details['field'] === 'CertificateSigningRequest') {
      throw new HoldfastError('identity.template_parameters', {}, { cause: error });
    }
    if (HoldfastError.is(error) && error.code.startsWith('wire.')) {
      throw new HoldfastError('identity.bad_csr', {}, { cause: error });
    }
    throw error;
  }
}
