import { type Clock, HoldfastError } from '@holdfast/kernel';
import { TEMPLATE_NAME } from '@holdfast/wire/aws-iot';
import { MANIFEST_NAME } from '@holdfast/wire/manifest';
import { parseVersion } from '@holdfast/wire/mcuboot';
import type {
  AuditLog,
  EnrollmentTerms,
  Outbox,
  Page,
  PageRequest,
  PostureRepository,
  ProductChange,
  ProductRecord,
  ProductRepository,
  ReferenceValueRepository,
  Store,
  Tenant,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal, type SystemPrincipal } from '../principal.ts';
import { isOlder, type Minimum, shortfallOf } from './minimum.ts';
import { checkBooting } from './rehearsal-world.ts';

export interface ProductPolicyPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly products: ProductRepository;
  readonly postures: PostureRepository;
  readonly referenceValues: ReferenceValueRepository;
}

export type ProductActor = OperatorPrincipal | SystemPrincipal;

export type ProductWish = Pick<ProductRecord, 'name' | 'hardwareRevisions' | 'evidence'> &
  Partial<
    Pick<
      ProductRecord,
      | 'imageKeyId'
      | 'boot'
      | 'policies'
      | 'restrictedPolicies'
      | 'deviceConfiguration'
      | 'certificateDays'
      | 'enrollment'
    >
  >;

/** What is not given stays as it is. */
export type EnrollmentTermsWish = { readonly [Term in keyof EnrollmentTerms]?: EnrollmentTerms[Term] | undefined };

export interface MinimumWish {
  readonly version?: string | undefined;
  readonly counter?: number | undefined;
}

export interface MinimumPreview {
  /** Devices that have full rights now and would lose them. */
  readonly restricts: number;
  /** The first 100 of them. */
  readonly devices: readonly string[];
}

const PAGE = 1000;
/** As AWS IoT has it: its clients may ask for keys, EST's make their own. */
const DEFAULT_TERMS: EnrollmentTerms = { approval: 'automatic', serverKeys: 'aws', binding: 'if-present' };
const NAMED_DEVICES = 100;

/** Products and the limits that hold for their devices. Publishing a release never changes one. */
export class ProductPolicy {
  readonly #ports: ProductPolicyPorts;

  constructor(ports: ProductPolicyPorts) {
    this.#ports = ports;
  }

  /** @throws `identity.bad_product`, `identity.product_exists`, `boot.bad_option` for its chip */
  async create(principal: ProductActor, wish: ProductWish): Promise<ProductRecord> {
    const product: ProductRecord = {
      tenant: principal.tenant,
      name: wish.name,
      hardwareRevisions: wish.hardwareRevisions,
      evidence: wish.evidence,
      minimumVersion: undefined,
      minimumCounter: 0,
      imageKeyId: wish.imageKeyId,
      boot: wish.boot ?? { format: 'mcuboot', headerSize: 512, slotSize: 1_048_576, align: 8 },
      policies: wish.policies ?? [],
      restrictedPolicies: wish.restrictedPolicies ?? [],
      deviceConfiguration: wish.deviceConfiguration ?? {},
      certificateDays: wish.certificateDays ?? 90,
      enrollment: wish.enrollment ?? DEFAULT_TERMS,
      createdAt: this.#ports.clock.now(),
      revision: 0,
    };
    checkProduct(product);
    if (await this.#ports.products.find(product.tenant, product.name)) {
      throw new HoldfastError('identity.product_exists', { product: product.name });
    }
    const { store, products, audit, outbox } = this.#ports;
    const { tenant, name, evidence } = product;
    await store.commit([
      products.inserting(product),
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'product.created',
        subject: name,
        details: { evidence },
      }),
      outbox.event({ tenant, name: 'product.changed', subject: name, data: { what: 'created' } }),
    ]);
    return product;
  }

  /** @throws `identity.unknown_product` */
  async show(tenant: Tenant, name: string): Promise<ProductRecord> {
    const product = await this.#ports.products.find(tenant, name);
    if (!product) throw new HoldfastError('identity.unknown_product', { product: name });
    return product;
  }

  list(tenant: Tenant, page: PageRequest): Promise<Page<ProductRecord>> {
    return this.#ports.products.list(tenant, page);
  }

  /** Chooses whether devices are believed on their word; the reason is kept in the log. */
  async setEvidence(
    principal: ProductActor,
    name: string,
    choice: { readonly evidence: ProductRecord['evidence']; readonly reason: string },
  ): Promise<ProductRecord> {
    const product = await this.show(principal.tenant, name);
    const { evidence, reason } = choice;
    if (product.evidence === evidence) return product;
    return this.#change(principal, product, {
      change: { evidence },
      action: 'product.evidence_set',
      details: { evidence, reason: reason.slice(0, 256) },
    });
  }

  /** Sets what enrolling its devices asks; devices that are enrolled keep their certificates. */
  async setEnrollment(principal: ProductActor, name: string, wish: EnrollmentTermsWish): Promise<ProductRecord> {
    const product = await this.show(principal.tenant, name);
    const before = product.enrollment;
    const enrollment = {
      approval: wish.approval ?? before.approval,
      serverKeys: wish.serverKeys ?? before.serverKeys,
      binding: wish.binding ?? before.binding,
    };
    return this.#change(principal, product, {
      change: { enrollment },
      action: 'product.enrollment_set',
      details: { ...enrollment },
    });
  }

  /**
   * Chooses the virtual chip its releases are rehearsed in; those of before are rehearsed anew when they are next
   * rolled out.
   *
   * @throws `boot.bad_option` for a chip or strategy that does not boot its images
   */
  async setChip(
    principal: ProductActor,
    name: string,
    wish: { readonly chip: string; readonly strategy?: string | undefined },
  ): Promise<ProductRecord> {
    const product = await this.show(principal.tenant, name);
    const { chip, strategy } = checkBooting(product.boot.format, wish);
    return this.#change(principal, product, {
      change: { boot: { ...product.boot, chip, strategy } },
      action: 'product.chip_set',
      details: { chip, strategy },
    });
  }

  async previewMinimum(tenant: Tenant, name: string, wish: MinimumWish): Promise<MinimumPreview> {
    const product = await this.show(tenant, name);
    return this.#restrictedBy(product, await this.#raised(product, wish));
  }

  /**
   * Raises the minimum version, the minimum counter or both.
   *
   * @throws `posture.minimum_not_raised` when one would sink or none would rise;
   * `posture.minimum_unpublished` when no signed release reaches it, which would restrict every device for good.
   */
  async raiseMinimum(
    principal: ProductActor,
    name: string,
    wish: MinimumWish & { readonly reason: string },
  ): Promise<{ readonly product: ProductRecord; readonly restricted: MinimumPreview }> {
    const product = await this.show(principal.tenant, name);
    const minimum = await this.#raised(product, wish);
    const restricted = await this.#restrictedBy(product, minimum);
    const changed = await this.#change(principal, product, {
      change: minimum,
      action: 'product.minimum_raised',
      details: {
        version: minimum.minimumVersion ?? null,
        counter: minimum.minimumCounter,
        restricts: restricted.restricts,
        reason: wish.reason.slice(0, 256),
      },
    });
    return { product: changed, restricted };
  }

  async #raised(product: ProductRecord, wish: MinimumWish): Promise<Minimum> {
    const minimumVersion = wish.version ?? product.minimumVersion;
    const minimumCounter = wish.counter ?? product.minimumCounter;
    if (wish.version !== undefined) parseVersion(wish.version);
    const versionRises = riseOf(product.minimumVersion, minimumVersion);
    const counterRises = Math.sign(minimumCounter - product.minimumCounter);
    if (versionRises < 0 || counterRises < 0 || versionRises + counterRises === 0) {
      throw new HoldfastError('posture.minimum_not_raised', { product: product.name });
    }
    const signed = await this.#ports.referenceValues.list(product.tenant, product.name, PAGE);
    if (!signed.some((value) => shortfallOf({ minimumVersion, minimumCounter }, value) === undefined)) {
      throw new HoldfastError('posture.minimum_unpublished', { product: product.name });
    }
    return { minimumVersion, minimumCounter };
  }

  async #restrictedBy(product: ProductRecord, minimum: Minimum): Promise<MinimumPreview> {
    const devices: string[] = [];
    let restricts = 0;
    let after: string | undefined;
    do {
      const page = await this.#ports.postures.listOfProduct(product.tenant, product.name, { after, limit: PAGE });
      for (const { evidence, posture, deviceId } of page.rows) {
        if (evidence === undefined || posture !== 'proven' || shortfallOf(product, evidence) !== undefined) continue;
        if (shortfallOf(minimum, evidence) === undefined) continue;
        restricts += 1;
        if (devices.length < NAMED_DEVICES) devices.push(deviceId);
      }
      after = page.next;
    } while (after !== undefined);
    return { restricts, devices };
  }

  async #change(
    principal: ProductActor,
    product: ProductRecord,
    act: {
      readonly change: ProductChange;
      readonly action: string;
      readonly details: Readonly<Record<string, string | number | null>>;
    },
  ): Promise<ProductRecord> {
    const { store, products, audit, outbox } = this.#ports;
    const { tenant, name } = product;
    await store.commit([
      products.changing(product, act.change),
      audit.entry({ tenant, actor: actorOf(principal), action: act.action, subject: name, details: act.details }),
      outbox.event({ tenant, name: 'product.changed', subject: name, data: { what: act.action } }),
    ]);
    return { ...product, ...act.change, revision: product.revision + 1 };
  }
}

function checkProduct(product: ProductRecord): void {
  const { boot, name, hardwareRevisions, certificateDays } = product;
  const good =
    // One name for the product, its provisioning template and its manifests: a product nothing can be signed for is none.
    TEMPLATE_NAME.test(name) &&
    MANIFEST_NAME.test(name) &&
    hardwareRevisions.length > 0 &&
    hardwareRevisions.every((revision) => MANIFEST_NAME.test(revision)) &&
    Number.isInteger(certificateDays) &&
    certificateDays >= 1 &&
    certificateDays <= 365;
  if (!good) throw new HoldfastError('identity.bad_product');
  if (boot.chip !== undefined || boot.strategy !== undefined) checkBooting(boot.format, boot);
}

function riseOf(from: string | undefined, to: string | undefined): -1 | 0 | 1 {
  if (to === undefined || from === to) return 0;
  if (from === undefined) return 1;
  return isOlder(to, from) ? -1 : isOlder(from, to) ? 1 : 0;
}
