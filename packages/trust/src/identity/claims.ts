import { generatePrivateKey } from '@holdfast/crypto';
import { type Clock, encodeHex, type EpochMs, HoldfastError, type Random } from '@holdfast/kernel';
import type {
  ClaimRecord,
  ClaimRepository,
  KeyOwnerRepository,
  Page,
  PageRequest,
  ProductRepository,
  ProvisioningTemplateRepository,
  Tenant,
} from '../ports/index.ts';
import { actorOf } from '../principal.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { checkDeviceName, checkGroupName, claimUri } from './names.ts';
import type { RegistryActor } from './registry.ts';
import type { Revocation } from './revocation.ts';

export interface ClaimsPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly claims: ClaimRepository;
  readonly keyOwners: KeyOwnerRepository;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly templates: Pick<ProvisioningTemplateRepository, 'find'>;
  readonly authority: Pick<CertificateAuthority, 'issue'>;
  readonly revocation: Pick<Revocation, 'claim'>;
}

export interface ClaimWish {
  readonly product: string;
  /** The product's first unless given. */
  readonly hardwareRevision?: string | undefined;
  /** Either these serial numbers, or a quota. */
  readonly serials?: readonly string[] | undefined;
  readonly quota?: number | undefined;
  readonly expiresAt: EpochMs;
  readonly autoRegister?: boolean | undefined;
  readonly groups?: readonly string[] | undefined;
  /** A fleet template of the product; its rule and its hook hold at every door. */
  readonly template?: string | undefined;
}

/** What is shown once: nobody can be given the key again. */
export interface CreatedClaim {
  readonly claim: ClaimRecord;
  readonly certificateDer: Uint8Array;
  /** PKCS#8 DER. */
  readonly privateKeyPkcs8: Uint8Array;
}

/** `exhausted` and `expired` follow from the numbers and the clock; they are not stored. */
export type ClaimStanding = 'active' | 'exhausted' | 'expired' | 'cancelled';

const MAX_SERIALS = 100_000;
const MAX_QUOTA = 1_000_000;
const MAX_LIFE_MS = 366 * 86_400_000;

/** Bootstrap credentials. */
export class Claims {
  readonly #ports: ClaimsPorts;

  constructor(ports: ClaimsPorts) {
    this.#ports = ports;
  }

  /** @throws `identity.bad_claim`, `identity.unknown_product`, `identity.wrong_hardware`, `identity.bad_device_name` */
  async create(principal: RegistryActor, wish: ClaimWish): Promise<CreatedClaim> {
    const { claims, keyOwners, authority, clock, random } = this.#ports;
    const now = clock.now();
    const draft = await this.#draft(principal, wish, now);
    const claimId = encodeHex(random.bytes(12));
    const key = await generatePrivateKey('P-256');
    let claim: ClaimRecord | undefined;
    const certificate = await authority.issue(
      {
        profile: 'claim',
        publicKey: key.publicKey,
        commonName: `Holdfast claim ${claimId}`,
        names: [{ kind: 'uri', text: claimUri(principal.tenant, claimId) }],
        lifetimeMs: draft.expiresAt - now,
        state: 'active',
        subjectId: claimId,
        claimId: undefined,
        keyOrigin: 'server',
        door: 'local',
        actor: actorOf(principal),
      },
      ({ fingerprint, spkiSha256, tenant }) => {
        claim = { ...draft, claimId, fingerprint };
        return [
          claims.inserting(claim),
          ...[...new Set(wish.serials)].map((serial) => claims.listing(tenant, claimId, serial)),
          keyOwners.inserting({ spkiSha256, tenant, kind: 'claim', id: claimId }),
        ];
      },
    );
    const created = claim ?? { ...draft, claimId, fingerprint: certificate.fingerprint };
    return { claim: created, certificateDer: certificate.der, privateKeyPkcs8: key.exportPkcs8() };
  }

  list(tenant: Tenant, page: PageRequest): Promise<Page<ClaimRecord>> {
    return this.#ports.claims.list(tenant, page);
  }

  /** @throws `identity.unknown_claim` */
  async show(tenant: Tenant, claimId: string): Promise<ClaimRecord> {
    const claim = await this.#ports.claims.find(tenant, claimId);
    if (!claim) throw new HoldfastError('identity.unknown_claim');
    return claim;
  }

  /** Its certificate, its tokens and its pending certificates end with it; devices it enrolled stay. */
  async cancel(principal: RegistryActor, claimId: string): Promise<ClaimRecord> {
    await this.#ports.revocation.claim(principal, claimId, 'cessationOfOperation');
    return this.show(principal.tenant, claimId);
  }

  async #draft(
    principal: RegistryActor,
    wish: ClaimWish,
    now: EpochMs,
  ): Promise<Omit<ClaimRecord, 'claimId' | 'fingerprint'>> {
    const serials = wish.serials && [...new Set(wish.serials.map(checkDeviceName))];
    const quota = serials?.length ?? wish.quota ?? 0;
    const limit = serials ? MAX_SERIALS : MAX_QUOTA;
    const isBounded = (serials === undefined) !== (wish.quota === undefined);
    const isFinite = Number.isInteger(quota) && quota >= 1 && quota <= limit;
    const isInTime = wish.expiresAt > now && wish.expiresAt <= now + MAX_LIFE_MS;
    if (!isBounded || !isFinite || !isInTime) throw new HoldfastError('identity.bad_claim');
    const product = await this.#ports.products.find(principal.tenant, wish.product);
    if (!product) throw new HoldfastError('identity.unknown_product', { product: wish.product });
    const hardwareRevision = wish.hardwareRevision ?? product.hardwareRevisions[0] ?? '';
    if (!product.hardwareRevisions.includes(hardwareRevision)) throw new HoldfastError('identity.wrong_hardware');
    await this.#checkTemplate(principal.tenant, wish);
    return {
      tenant: principal.tenant,
      product: wish.product,
      hardwareRevision,
      groups: (wish.groups ?? []).map(checkGroupName),
      state: 'active',
      scope: serials ? 'serials' : 'quota',
      quota,
      used: 0,
      expiresAt: wish.expiresAt,
      autoRegister: wish.autoRegister ?? true,
      createdAt: now,
      createdBy: actorOf(principal),
      template: wish.template,
    };
  }

  async #checkTemplate(tenant: Tenant, { template: name, product }: ClaimWish): Promise<void> {
    if (name === undefined) return;
    const template = await this.#ports.templates.find(tenant, name);
    if (template?.kind !== 'fleet') throw new HoldfastError('identity.unknown_template');
    if (template.product !== product) throw new HoldfastError('identity.wrong_product');
  }
}

export function claimStanding(claim: ClaimRecord, now: EpochMs): ClaimStanding {
  if (claim.state === 'revoked') return 'cancelled';
  if (now >= claim.expiresAt) return 'expired';
  return claim.used >= claim.quota ? 'exhausted' : 'active';
}
