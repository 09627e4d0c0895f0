import { fingerprint, sha256 } from '@holdfast/crypto';
import { type Clock, encodeHex, HoldfastError } from '@holdfast/kernel';
import { decodePem } from '@holdfast/wire/pem';
import { type Certificate, decodeCertificate } from '@holdfast/wire/x509';
import type {
  AuditLog,
  ClaimRepository,
  Store,
  Tenant,
  TpmAuthority,
  TpmEndorsement,
  TpmRepository,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';

export interface TpmTrustPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly tpms: TpmRepository;
  readonly claims: Pick<ClaimRepository, 'find'>;
}

/** Which TPMs may enroll: single ones by their endorsement key, or all that a maker certified. */
export class TpmTrust {
  readonly #ports: TpmTrustPorts;

  constructor(ports: TpmTrustPorts) {
    this.#ports = ports;
  }

  /**
   * Lists one TPM for one device.
   *
   * @throws `identity.unknown_claim`, `identity.tpm_listed`, `wire.*` when the PEM holds no certificate
   */
  async list(
    operator: OperatorPrincipal,
    wish: { readonly certificatePem: string; readonly claimId: string; readonly serialNumber: string },
  ): Promise<TpmEndorsement> {
    const { tpms, store, audit, clock } = this.#ports;
    const { tenant } = operator;
    const { claimId, serialNumber } = wish;
    await this.#demandClaim(tenant, claimId);
    const keySha256 = encodeHex(sha256(readCertificate(wish.certificatePem).spki.raw));
    if (await tpms.endorsement(tenant, keySha256)) throw new HoldfastError('identity.tpm_listed', { keySha256 });
    const createdBy = actorOf(operator);
    const listed = { tenant, keySha256, claimId, serialNumber, createdAt: clock.now(), createdBy };
    await store.commit([
      tpms.listing(listed),
      audit.entry({
        tenant,
        actor: createdBy,
        action: 'tpm.listed',
        subject: keySha256,
        details: { claim: claimId, serialNumber },
      }),
    ]);
    return listed;
  }

  /** @throws `identity.unknown_claim`, `identity.tpm_listed`, `identity.bad_tpm_authority` */
  async trust(
    operator: OperatorPrincipal,
    wish: { readonly certificatePem: string; readonly claimId: string },
  ): Promise<TpmAuthority> {
    const { tpms, store, audit, clock } = this.#ports;
    const { tenant } = operator;
    const { claimId } = wish;
    await this.#demandClaim(tenant, claimId);
    const certificate = readCertificate(wish.certificatePem);
    if (certificate.known.basicConstraints?.ca !== true) throw new HoldfastError('identity.bad_tpm_authority');
    const id = fingerprint(certificate.raw);
    const known = await tpms.authorities(tenant);
    if (known.some((each) => each.fingerprint === id))
      throw new HoldfastError('identity.tpm_listed', { fingerprint: id });
    const createdBy = actorOf(operator);
    const authority = { tenant, fingerprint: id, der: certificate.raw, claimId, createdAt: clock.now(), createdBy };
    await store.commit([
      tpms.trusting(authority),
      audit.entry({ tenant, actor: createdBy, action: 'tpm.maker_trusted', subject: id, details: { claim: claimId } }),
    ]);
    return authority;
  }

  /** @throws `identity.unknown_tpm_maker` */
  async distrust(operator: OperatorPrincipal, id: string): Promise<TpmAuthority> {
    const { tpms, store, audit } = this.#ports;
    const { tenant } = operator;
    const known = await tpms.authorities(tenant);
    const authority = known.find((each) => each.fingerprint === id);
    if (authority === undefined) throw new HoldfastError('identity.unknown_tpm_maker');
    await store.commit([
      tpms.distrusting(tenant, id),
      audit.entry({ tenant, actor: actorOf(operator), action: 'tpm.maker_distrusted', subject: id, details: {} }),
    ]);
    return authority;
  }

  /** @throws `identity.unknown_claim` */
  async listed(tenant: Tenant, claimId: string): Promise<readonly TpmEndorsement[]> {
    await this.#demandClaim(tenant, claimId);
    return this.#ports.tpms.endorsements(tenant, claimId);
  }

  authorities(tenant: Tenant): Promise<readonly TpmAuthority[]> {
    return this.#ports.tpms.authorities(tenant);
  }

  async #demandClaim(tenant: Tenant, claimId: string): Promise<void> {
    if (!(await this.#ports.claims.find(tenant, claimId))) throw new HoldfastError('identity.unknown_claim');
  }
}

function readCertificate(pem: string): Certificate {
  return decodeCertificate(decodePem(pem, 'CERTIFICATE'));
}
