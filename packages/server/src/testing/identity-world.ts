import { createCsr, createSigner, generatePrivateKey, type PrivateKey, type Signer } from '@holdfast/crypto';
import { ManualClock, silentLog, systemRandom } from '@holdfast/kernel';
import { ProductPolicy, ReferenceValues } from '@holdfast/trust/boot';
import { DEFAULT_ARN_SCOPE, Policies } from '@holdfast/trust/communication';
import {
  type AuthorityKeys,
  BulkRegistration,
  CertificateAuthority,
  Claims,
  type ClaimWish,
  Enrollment,
  type EnrollmentContext,
  type EnrollmentPorts,
  JitRegistration,
  Manufacturers,
  MassRevocation,
  OneTimePasswords,
  PeerIdentity,
  Registry,
  Revocation,
  RevocationList,
  Templates,
  type TemplatesPorts,
} from '@holdfast/trust/identity';
import type {
  CommunicationRepositories,
  IdentityRepositories,
  PostureRepositories,
  ProductRecord,
  ProvisioningHooks,
} from '@holdfast/trust/ports';
import { Attestation, Postures } from '@holdfast/trust/posture';
import type { ClaimPrincipal, OperatorPrincipal } from '@holdfast/trust/principal';
import type { GeneralName } from '@holdfast/wire/x509';
import { type OpenStore, openStore, query } from '../persistence/index.ts';
import type { RowSeal } from '../persistence/row-seal.ts';
import { compileWrite } from '../persistence/write.ts';
import { communicationRepositories } from '../persistence/repositories/communication.ts';
import { identityRepositories } from '../persistence/repositories/identity.ts';
import { postureRepositories } from '../persistence/repositories/posture.ts';

export const ADMIN: OperatorPrincipal = { kind: 'operator', tenant: 'default', name: 'alice', via: 'socket' };

/** The identity and posture rooms over a real store, with a clock moved by hand. */
export interface IdentityWorld {
  readonly clock: ManualClock;
  readonly opened: OpenStore;
  readonly repositories: IdentityRepositories & PostureRepositories & Pick<CommunicationRepositories, 'policies'>;
  readonly authority: CertificateAuthority;
  readonly registry: Registry;
  readonly revocation: Revocation;
  readonly massRevocation: MassRevocation;
  readonly claims: Claims;
  readonly templates: Templates;
  readonly bulk: BulkRegistration;
  readonly jit: JitRegistration;
  readonly manufacturers: Manufacturers;
  readonly passwords: OneTimePasswords;
  readonly enrollment: Enrollment;
  readonly peers: PeerIdentity;
  readonly products: ProductPolicy;
  readonly referenceValues: ReferenceValues;
  readonly attestation: Attestation;
  readonly postures: Postures;
  readonly crl: RevocationList;
  addProduct(name: string, evidence?: ProductRecord['evidence']): Promise<ProductRecord>;
  addClaim(wish?: Partial<ClaimWish>): Promise<ClaimPrincipal>;
  /** Actions of the audit log, oldest first; of one action its details. */
  audit(): Promise<readonly { readonly action: string; readonly subject: string; readonly details: string }[]>;
}

export interface WorldOptions {
  readonly location?: string;
  readonly keys?: AuthorityKeys;
  readonly hooks?: ProvisioningHooks;
  /** Rows are sealed with it; not at all unless given. */
  readonly seal?: RowSeal;
  readonly limits?: Pick<EnrollmentPorts, 'claimRate' | 'tenantRate'>;
}

/** Keys of authorities in memory; a test may hold on to them over a restart. */
export class MemoryAuthorityKeys implements AuthorityKeys {
  readonly #signers = new Map<string, Signer>();

  async creating({ keyId }: { readonly keyId: string }): ReturnType<AuthorityKeys['creating']> {
    const signer = createSigner(await generatePrivateKey('P-256'));
    this.#signers.set(keyId, signer);
    return { signer, writes: [] };
  }

  async signer(_tenant: string, keyId: string): Promise<Signer | undefined> {
    return this.#signers.get(keyId);
  }

  async destroy({ keyId }: { readonly keyId: string }): Promise<void> {
    this.#signers.delete(keyId);
  }
}

/** Nobody answers. */
export const NO_HOOKS: ProvisioningHooks = { ask: async () => ({ kind: 'failed', reason: 'off' }) };

/** Secrets that are kept nowhere: hooks of tests ask for none. */
function memorySecrets(): TemplatesPorts['hookSecrets'] {
  const nothing = compileWrite(query.deleteFrom('crls').where('issuer', '=', ''));
  return {
    creating: async () => ({ secret: new Uint8Array(32).fill(5), write: nothing }),
    deleting: () => nothing,
  };
}

const crlUri = (list: string) => `http://localhost:8880/crl/${list}.crl`;

export async function openIdentityWorld(options: WorldOptions = {}): Promise<IdentityWorld> {
  const clock = new ManualClock();
  const opened = await openStore({ location: options.location ?? ':memory:', clock });
  const { policies } = communicationRepositories(opened.reader);
  const repositories = {
    ...identityRepositories(opened.reader, options.seal),
    ...postureRepositories(opened.reader),
    policies,
  };
  const { store, audit, outbox } = opened;
  const base = { ...repositories, clock, store, audit, outbox, log: silentLog, random: systemRandom };
  const keys = options.keys ?? new MemoryAuthorityKeys();
  const authority = await CertificateAuthority.open(
    { ...base, keys },
    {
      tenant: 'default',
      organization: 'Holdfast',
      crlUri,
      ocspUri: 'http://localhost:8880/ocsp',
    },
  );
  const registry = new Registry(base);
  const revocation = new Revocation(base);
  const claims = new Claims({ ...base, authority, revocation });
  const policyDesk = new Policies({ ...base, scopeOf: () => DEFAULT_ARN_SCOPE });
  const products = new ProductPolicy(base);
  const referenceValues = new ReferenceValues(base);
  return {
    clock,
    opened,
    repositories,
    authority,
    registry,
    revocation,
    massRevocation: new MassRevocation({ ...base, revocation }),
    claims,
    templates: new Templates({
      ...base,
      hookSecrets: memorySecrets(),
      keepPolicy: async (principal, name, document) => void (await policyDesk.put(principal, name, document)),
    }),
    passwords: new OneTimePasswords({ ...base, passwordKey: new Uint8Array(32).fill(7) }),
    enrollment: new Enrollment({ ...base, authority, hooks: options.hooks ?? NO_HOOKS, ...options.limits }),
    bulk: new BulkRegistration({ ...base, hooks: options.hooks ?? NO_HOOKS, authority }),
    jit: new JitRegistration({ ...base, hooks: options.hooks ?? NO_HOOKS }),
    manufacturers: new Manufacturers({ ...base, codeKey: new Uint8Array(32).fill(3) }),
    peers: new PeerIdentity(base),
    products,
    referenceValues,
    attestation: new Attestation({ ...base, registry, referenceValues }),
    postures: new Postures(base),
    crl: new RevocationList({ ...base, authority, crlUri }),
    addProduct: (name, evidence = 'required') =>
      products.create(ADMIN, { name, hardwareRevisions: ['rev-a'], evidence, deviceConfiguration: { region: 'eu' } }),
    addClaim: async (wish = {}) => {
      const bounds = wish.serials === undefined && wish.quota === undefined ? { quota: 10 } : {};
      const expiresAt = clock.now() + 3_600_000;
      const { claim } = await claims.create(ADMIN, { product: 'lamp', expiresAt, ...bounds, ...wish });
      return { kind: 'claim', tenant: claim.tenant, claimId: claim.claimId, fingerprint: claim.fingerprint };
    },
    audit: () =>
      opened.reader.all(query.selectFrom('audit_entries').select(['action', 'subject', 'details']).orderBy('sequence')),
  };
}

export function connection(connectionId = 'c1', door: EnrollmentContext['door'] = 'aws-claim'): EnrollmentContext {
  return { connectionId, remoteAddress: '192.0.2.1', door };
}

export interface CsrWish {
  readonly key?: PrivateKey;
  readonly commonName?: string;
  readonly names?: readonly GeneralName[];
  readonly challengePassword?: string;
  readonly asymmetricDecryptKeyId?: Uint8Array;
}

export async function makeCsr(wish: CsrWish = {}): Promise<Uint8Array> {
  const { key, commonName = 'ignored', names, challengePassword, asymmetricDecryptKeyId } = wish;
  return createCsr(
    {
      subject: [{ type: 'commonName', value: commonName }],
      ...(names === undefined ? {} : { subjectAltName: names }),
      ...(challengePassword === undefined ? {} : { challengePassword }),
      ...(asymmetricDecryptKeyId === undefined ? {} : { asymmetricDecryptKeyId }),
    },
    createSigner(key ?? (await generatePrivateKey('P-256'))),
  );
}
