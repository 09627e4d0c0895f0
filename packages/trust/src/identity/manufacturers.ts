import { fingerprint, hmac, sha256 } from '@holdfast/crypto';
import { type Clock, encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  CertificateRecord,
  CertificateRepository,
  Fingerprint,
  KeyOwnerRepository,
  ManufacturerRecord,
  ManufacturerRepository,
  ManufacturerState,
  Outbox,
  Page,
  PageRequest,
  ProductRepository,
  ProvisioningTemplateRepository,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf } from '../principal.ts';
import { onFreshRead } from './fresh-read.ts';
import { demandPossession, foreignRecord, readAuthority } from './manufacturer-certificates.ts';
import type { RegistryActor } from './registry.ts';

export interface ManufacturersPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly manufacturers: ManufacturerRepository;
  readonly certificates: Pick<CertificateRepository, 'find' | 'inserting' | 'pendingOfIssuer'>;
  readonly keyOwners: KeyOwnerRepository;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly templates: Pick<ProvisioningTemplateRepository, 'find'>;
  /** Makes the registration codes, so that they need no keeping. */
  readonly codeKey: Uint8Array;
}

export interface ManufacturerWish {
  readonly certificateDer: Uint8Array;
  /** A certificate the authority issued for the registration code. */
  readonly verificationDer: Uint8Array;
  /** Its devices register by this template (JITP); without one an operator activates each (JITR). */
  readonly template?: string | undefined;
  /** The template's product unless given. */
  readonly product?: string | undefined;
  /** The product's first unless given. */
  readonly hardwareRevision?: string | undefined;
}

export interface ManufacturerDetail {
  readonly manufacturer: ManufacturerRecord;
  readonly certificate: CertificateRecord;
  /** Device certificates that wait for an operator, oldest first, 1,000 at most. */
  readonly pending: readonly CertificateRecord[];
}

export const MAX_PENDING = 1000;

/** Authorities of other makers, whose device certificates are taken in. */
export class Manufacturers {
  readonly #ports: ManufacturersPorts;

  constructor(ports: ManufacturersPorts) {
    this.#ports = ports;
  }

  /** What a verification certificate must have as its common name; the same for the tenant's life. */
  registrationCode(tenant: Tenant): string {
    return encodeHex(hmac('sha256', this.#ports.codeKey, encodeUtf8(`registration-code/${tenant}`)));
  }

  /**
   * @throws `identity.bad_manufacturer`, `identity.bad_verification`, `identity.manufacturer_exists`,
   * `identity.key_reuse`, `identity.unknown_template`, `identity.unknown_product`, `identity.wrong_product`,
   * `identity.wrong_hardware`
   */
  async register(principal: RegistryActor, wish: ManufacturerWish): Promise<ManufacturerDetail> {
    const { clock, store, audit, outbox, manufacturers, certificates, keyOwners } = this.#ports;
    const { tenant } = principal;
    const now = clock.now();
    const certificate = readAuthority(wish.certificateDer, now);
    demandPossession(certificate, wish.verificationDer, { code: this.registrationCode(tenant), now });
    const id = fingerprint(certificate.raw);
    if (await certificates.find(id)) throw new HoldfastError('identity.manufacturer_exists');
    const spkiSha256 = encodeHex(sha256(certificate.spki.raw));
    if (await keyOwners.find(spkiSha256)) throw new HoldfastError('identity.key_reuse');
    const actor = actorOf(principal);
    const manufacturer: ManufacturerRecord = {
      tenant,
      fingerprint: id,
      state: 'active',
      registration: wish.template === undefined ? 'jitr' : 'jitp',
      ...(await this.#termsOf(tenant, wish)),
      template: wish.template,
      createdAt: now,
      createdBy: actor,
    };
    const record = foreignRecord(certificate, {
      tenant,
      profile: 'manufacturer',
      state: 'active',
      issuer: undefined,
      subjectId: id,
      door: 'local',
      issuedAt: now,
    });
    await store.commit([
      certificates.inserting(record),
      keyOwners.inserting({ spkiSha256, tenant, kind: 'authority', id }),
      manufacturers.inserting(manufacturer),
      audit.entry({
        tenant,
        actor,
        action: 'manufacturer.registered',
        subject: id,
        details: {
          registration: manufacturer.registration,
          product: manufacturer.product,
          template: wish.template ?? null,
        },
      }),
      outbox.event({ tenant, name: 'manufacturer.changed', subject: id, data: { state: 'active' } }),
    ]);
    return { manufacturer, certificate: record, pending: [] };
  }

  list(tenant: Tenant, page: PageRequest): Promise<Page<ManufacturerRecord>> {
    return this.#ports.manufacturers.list(tenant, page);
  }

  /** @throws `identity.unknown_manufacturer` */
  async show(tenant: Tenant, id: Fingerprint): Promise<ManufacturerDetail> {
    const { manufacturers, certificates } = this.#ports;
    const manufacturer = await manufacturers.find(tenant, id);
    const certificate = manufacturer && (await certificates.find(id));
    if (!manufacturer || !certificate) throw new HoldfastError('identity.unknown_manufacturer');
    return { manufacturer, certificate, pending: await certificates.pendingOfIssuer(tenant, id, MAX_PENDING) };
  }

  /** Takes nobody new in from now on, or again; devices that are registered stay. A revoked one stays revoked. */
  change(principal: RegistryActor, id: Fingerprint, state: 'active' | 'inactive'): Promise<ManufacturerDetail> {
    return onFreshRead(async () => {
      const { store } = this.#ports;
      const { manufacturer } = await this.show(principal.tenant, id);
      if (manufacturer.state === 'revoked') throw new HoldfastError('identity.manufacturer_inactive');
      if (manufacturer.state !== state) await store.commit(this.#changing(principal, manufacturer, state));
      return this.show(principal.tenant, id);
    });
  }

  #changing(principal: RegistryActor, from: ManufacturerRecord, state: ManufacturerState): readonly Write[] {
    const { audit, outbox, manufacturers } = this.#ports;
    const { tenant, fingerprint: subject } = from;
    const action = state === 'active' ? 'manufacturer.activated' : 'manufacturer.deactivated';
    return [
      manufacturers.changing(from, state),
      audit.entry({ tenant, actor: actorOf(principal), action, subject, details: {} }),
      outbox.event({ tenant, name: 'manufacturer.changed', subject, data: { state } }),
    ];
  }

  async #termsOf(
    tenant: Tenant,
    { template: name, product: wanted, hardwareRevision }: ManufacturerWish,
  ): Promise<Pick<ManufacturerRecord, 'product' | 'hardwareRevision'>> {
    const template = name === undefined ? undefined : await this.#ports.templates.find(tenant, name);
    if (name !== undefined && template?.kind !== 'jitp') throw new HoldfastError('identity.unknown_template');
    if (template && wanted !== undefined && template.product !== wanted) {
      throw new HoldfastError('identity.wrong_product');
    }
    const product = await this.#ports.products.find(tenant, template?.product ?? wanted ?? '');
    if (!product) throw new HoldfastError('identity.unknown_product');
    const revision = hardwareRevision ?? product.hardwareRevisions[0] ?? '';
    if (!product.hardwareRevisions.includes(revision)) throw new HoldfastError('identity.wrong_hardware');
    return { product: product.name, hardwareRevision: revision };
  }
}
