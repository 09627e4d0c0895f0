import {
  createCsr,
  fingerprint,
  type Issuance,
  issueFrom,
  newSerial,
  prepareIssuance,
  type PublicKey,
  type Signer,
  sha256,
  validityFor,
} from '@holdfast/crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import type { Certificate, GeneralName } from '@holdfast/wire/x509';
import type { CertificateRecord, EnrollmentDoorName, Fingerprint, Tenant, Write } from '../ports/index.ts';
import { actorOf, type OperatorPrincipal, type SystemPrincipal } from '../principal.ts';
import { anchorsOf, type AuthorityBonds, loadBonds, presentedOf, trustedOf } from './authority-bonds.ts';
import {
  type Authority,
  type AuthorityOptions,
  type AuthorityPorts,
  foundAuthorities,
  registering,
} from './authority-founding.ts';
import { type AuthorityChain, type AuthorityRequest, partsOf } from './ceremony.ts';
import { installing } from './ceremony-install.ts';
import { listExtensions } from './revocation-shards.ts';
import { type LeafProfile, LEAF_PROFILES } from './issuance-profiles.ts';

/** What one certificate is to say and to whom it belongs; names come from the registry. */
export interface CertificateOrder {
  readonly profile: LeafProfile;
  readonly publicKey: PublicKey;
  readonly commonName: string;
  readonly names: readonly GeneralName[];
  /** Overrides the profile's. */
  readonly lifetimeMs?: number;
  readonly state: 'pending' | 'active' | 'successor';
  readonly subjectId: string | undefined;
  readonly claimId: string | undefined;
  readonly keyOrigin: CertificateRecord['keyOrigin'];
  readonly door: EnrollmentDoorName;
  /** Who asked, for the log. */
  readonly actor: string;
  /** Writes of the unit that make room, such as giving up an older certificate. */
  readonly preceding?: readonly Write[];
}

/**
 * Issues certificates, each inside the one unit of work that also registers and logs it.
 *
 * Nobody sees a certificate before that unit is durable: a crash leaves either both or neither.
 */
export class CertificateAuthority {
  readonly tenant: Tenant;
  readonly #ports: AuthorityPorts;
  readonly #options: AuthorityOptions;
  readonly #signer: Signer;
  readonly #listeners = new Set<() => void>();
  #bonds: AuthorityBonds;
  #rootIsOnline = false;
  readonly #prepared = new Map<LeafProfile, Issuance>();

  private constructor(
    ports: AuthorityPorts,
    options: AuthorityOptions,
    parts: { readonly bonds: AuthorityBonds; readonly signer: Signer },
  ) {
    this.#ports = ports;
    this.#options = options;
    this.tenant = options.tenant;
    this.#bonds = parts.bonds;
    this.#signer = parts.signer;
  }

  /**
   * Opens the authorities of a tenant; the first time it makes a root and an issuing one in one unit of work.
   *
   * @throws `identity.ca_unavailable` when the issuing key does not answer
   */
  static async open(ports: AuthorityPorts, options: AuthorityOptions): Promise<CertificateAuthority> {
    const [issuing] = await ports.certificates.activeOfProfile(options.tenant, 'issuing');
    if (issuing === undefined) await foundAuthorities(ports, options);
    const bonds = await loadBonds(ports.certificates, options.tenant);
    const signer = bonds && (await signerOf(ports, bonds.current));
    if (bonds === undefined || signer === undefined) throw new HoldfastError('identity.ca_unavailable');
    const authority = new CertificateAuthority(ports, options, { bonds, signer });
    await authority.#reload();
    return authority;
  }

  /** Whether a root key that devices trust is on this machine; a ceremony moves it away. */
  get rootIsOnline(): boolean {
    return this.#rootIsOnline;
  }

  /** Called when the certificates of the authority changed. */
  onChanged(listener: () => void): void {
    this.#listeners.add(listener);
  }

  get rootDer(): Uint8Array {
    return this.#bonds.root.record.der;
  }

  get rootFingerprint(): Fingerprint {
    return this.#bonds.root.record.fingerprint;
  }

  /** The authority that signs devices, by its first certificate: what its lists and answers are filed under. */
  get issuing(): CertificateRecord {
    return this.#bonds.issuing.record;
  }

  /** What a server sends after its own certificate: enough for whoever trusts this root or one before it. */
  get presentedDer(): readonly Uint8Array[] {
    return presentedOf(this.#bonds);
  }

  /** From the issuing authority to the root. */
  get chainDer(): readonly Uint8Array[] {
    return [...this.presentedDer, this.rootDer];
  }

  /** Every root a device of this tenant may trust, the present one first. */
  get anchorsDer(): readonly Uint8Array[] {
    return anchorsOf(this.#bonds);
  }

  /** What a device's certificate is verified with. */
  get trustedDer(): readonly Uint8Array[] {
    return trustedOf(this.#bonds);
  }

  /** One root's key certified by another. */
  get crossesDer(): readonly Uint8Array[] {
    return this.#bonds.crosses.map(({ record }) => record.der);
  }

  /** What EST gives out: the chain, former roots, OldWithNew and NewWithOld (RFC 7030 4.1.3). */
  get caCertsDer(): readonly Uint8Array[] {
    return [this.#bonds.current.record.der, ...this.anchorsDer, ...this.crossesDer];
  }

  /** The issuing authority's certificate and key, for revocation lists. */
  get revocationSigner(): { readonly issuer: Certificate; readonly signer: Signer } {
    return { issuer: this.#bonds.current.certificate, signer: this.#signer };
  }

  /**
   * Issues one certificate and commits it with its row, its log entry and the caller's writes.
   *
   * @throws `store.conflict` when a guard of the unit failed: nothing was issued; `crypto.weak_key` and the like
   */
  async issue(
    order: CertificateOrder,
    alongside: (record: CertificateRecord) => readonly Write[],
  ): Promise<CertificateRecord> {
    const { store, clock, random } = this.#ports;
    const now = clock.now();
    const row = LEAF_PROFILES[order.profile];
    const issuer = this.#bonds.current.certificate;
    const validity = validityFor({ now, lifetimeMs: order.lifetimeMs ?? row.lifetimeMs, issuer: issuer.validity });
    const serial = newSerial(random);
    const der = await this.#sign(() =>
      issueFrom(this.#prepare(order.profile), {
        subjectName: [{ type: 'commonName', value: order.commonName }],
        san: order.names,
        publicKey: order.publicKey,
        serial,
        ...validity,
        extensions: this.#listsOf(order.profile, encodeHex(serial)),
      }),
    );
    const record: CertificateRecord = {
      tenant: this.tenant,
      fingerprint: fingerprint(der),
      serialNumber: encodeHex(serial),
      profile: order.profile,
      state: order.state,
      der,
      spkiSha256: encodeHex(sha256(order.publicKey.spki)),
      issuer: this.#bonds.issuing.record.fingerprint,
      subjectId: order.subjectId,
      claimId: order.claimId,
      keyOrigin: order.keyOrigin,
      door: order.door,
      ...validity,
      issuedAt: now,
      firstUsedAt: undefined,
      revokedAt: undefined,
      revocationReason: undefined,
    };
    await store.commit([
      ...(order.preceding ?? []),
      ...registering(this.#ports, record, order.actor),
      ...alongside(record),
    ]);
    return record;
  }

  /** What a ceremony needs to certify the issuing key by another root. */
  async request(): Promise<AuthorityRequest> {
    const { current, root } = this.#bonds;
    const csrDer = await this.#sign(() => createCsr({ subject: partsOf(current.certificate.subject) }, this.#signer));
    return { csrDer, formerRootDer: root.record.der };
  }

  /**
   * Takes in what a ceremony made; devices enrolled before and after trust the same issuing key.
   *
   * @param rootFingerprint - as read where the ceremony was held
   * @throws as `installing`; `store.conflict` when it was installed before
   */
  async install(
    principal: OperatorPrincipal | SystemPrincipal,
    chain: AuthorityChain,
    rootFingerprint: Fingerprint,
  ): Promise<void> {
    const bonds = this.#bonds;
    const writes = await installing(this.#ports, {
      tenant: this.tenant,
      actor: actorOf(principal),
      bonds,
      chain,
      rootFingerprint,
      formerRootSigner: await signerOf(this.#ports, bonds.root),
    });
    await this.#ports.store.commit(writes);
    await this.#reload();
  }

  /**
   * Erases the key of a root that a ceremony replaced.
   *
   * @throws `identity.root_in_use` for the present root; `identity.no_such_certificate`; `identity.root_key_offline`
   * when the key is not here
   */
  async destroyRootKey(principal: OperatorPrincipal | SystemPrincipal, rootFingerprint: Fingerprint): Promise<void> {
    const { root, formerRoots } = this.#bonds;
    if (root.record.fingerprint === rootFingerprint) throw new HoldfastError('identity.root_in_use');
    const former = formerRoots.find(({ record }) => record.fingerprint === rootFingerprint);
    if (former === undefined) throw new HoldfastError('identity.no_such_certificate');
    const owner = await this.#ports.keyOwners.find(former.record.spkiSha256);
    if (owner === undefined || (await signerOf(this.#ports, former)) === undefined) {
      throw new HoldfastError('identity.root_key_offline');
    }
    await this.#ports.keys.destroy({ tenant: owner.tenant, keyId: owner.id, actor: actorOf(principal) });
    await this.#reload();
  }

  async #reload(): Promise<void> {
    const bonds = (await loadBonds(this.#ports.certificates, this.tenant)) ?? this.#bonds;
    const signers = await Promise.all([bonds.root, ...bonds.formerRoots].map((root) => signerOf(this.#ports, root)));
    this.#bonds = bonds;
    this.#rootIsOnline = signers.some((signer) => signer !== undefined);
    this.#prepared.clear();
    for (const listener of this.#listeners) listener();
  }

  /** A key that does not answer is a reason to try again, not a broken request. */
  async #sign<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (HoldfastError.is(error) && !error.code.startsWith('storage.')) throw error;
      throw new HoldfastError('identity.ca_unavailable', {}, { cause: error });
    }
  }

  #listsOf(profile: LeafProfile, serialNumber: string): readonly Uint8Array[] {
    const { crlUri } = this.#options;
    if (crlUri === undefined || profile === 'ocsp-signer') return [];
    return listExtensions(crlUri, this.#bonds.issuing.record.fingerprint, serialNumber);
  }

  #prepare(profile: LeafProfile): Issuance {
    const known = this.#prepared.get(profile);
    if (known) return known;
    const { ocspUri } = this.#options;
    // RFC 6960 4.2.2.2.1: whoever may vouch for revocation is not asked about; its short life has to do.
    const isAskedAbout = profile !== 'ocsp-signer';
    const issuance = prepareIssuance(
      {
        profile: LEAF_PROFILES[profile].template,
        issuer: this.#bonds.current.certificate,
        ...(isAskedAbout && ocspUri !== undefined ? { ocspUris: [ocspUri] } : {}),
      },
      this.#signer,
    );
    this.#prepared.set(profile, issuance);
    return issuance;
  }
}

async function signerOf({ keyOwners, keys }: AuthorityPorts, { record }: Authority): Promise<Signer | undefined> {
  const owner = await keyOwners.find(record.spkiSha256);
  return owner?.kind === 'authority' ? keys.signer(owner.tenant, owner.id) : undefined;
}
