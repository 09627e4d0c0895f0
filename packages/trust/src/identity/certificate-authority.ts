import {
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
import {
  type Authority,
  authorityOf,
  type AuthorityOptions,
  type AuthorityPorts,
  foundAuthorities,
  registering,
} from './authority-founding.ts';
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
  /** Whether the root key is on this machine; a ceremony moves it away. */
  readonly rootIsOnline: boolean;
  readonly #ports: AuthorityPorts;
  readonly #options: AuthorityOptions;
  readonly #root: Authority;
  readonly #issuing: Authority;
  readonly #signer: Signer;
  readonly #prepared = new Map<LeafProfile, Issuance>();

  private constructor(
    ports: AuthorityPorts,
    options: AuthorityOptions,
    parts: { root: Authority; issuing: Authority; signer: Signer; rootIsOnline: boolean },
  ) {
    this.#ports = ports;
    this.#options = options;
    this.tenant = options.tenant;
    this.#root = parts.root;
    this.#issuing = parts.issuing;
    this.#signer = parts.signer;
    this.rootIsOnline = parts.rootIsOnline;
  }

  /**
   * Opens the authorities of a tenant; the first time it makes a root and an issuing one in one unit of work.
   *
   * @throws `identity.ca_unavailable` when the issuing key does not answer
   */
  static async open(ports: AuthorityPorts, options: AuthorityOptions): Promise<CertificateAuthority> {
    const [issuing] = await ports.certificates.activeOfProfile(options.tenant, 'issuing');
    if (issuing === undefined) await foundAuthorities(ports, options);
    const [current] = await ports.certificates.activeOfProfile(options.tenant, 'issuing');
    const root = current && (await ports.certificates.find(current.issuer));
    const signer = current && (await signerOf(ports, current));
    if (current === undefined || root === undefined || signer === undefined) {
      throw new HoldfastError('identity.ca_unavailable');
    }
    return new CertificateAuthority(ports, options, {
      root: authorityOf(root),
      issuing: authorityOf(current),
      signer,
      rootIsOnline: (await signerOf(ports, root)) !== undefined,
    });
  }

  get rootDer(): Uint8Array {
    return this.#root.record.der;
  }

  get rootFingerprint(): Fingerprint {
    return this.#root.record.fingerprint;
  }

  /** The authority that signs devices. */
  get issuing(): CertificateRecord {
    return this.#issuing.record;
  }

  /** What a peer sends after its own certificate: the issuing authority, then the root. */
  get chainDer(): readonly Uint8Array[] {
    return [this.#issuing.record.der, this.#root.record.der];
  }

  /** The issuing authority's certificate and key, for revocation lists. */
  get revocationSigner(): { readonly issuer: Certificate; readonly signer: Signer } {
    return { issuer: this.#issuing.certificate, signer: this.#signer };
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
    const issuer = this.#issuing.certificate;
    const validity = validityFor({ now, lifetimeMs: order.lifetimeMs ?? row.lifetimeMs, issuer: issuer.validity });
    const serial = newSerial(random);
    const der = await this.#sign(() =>
      issueFrom(this.#prepare(order.profile), {
        subjectName: [{ type: 'commonName', value: order.commonName }],
        san: order.names,
        publicKey: order.publicKey,
        serial,
        ...validity,
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
      issuer: this.#issuing.record.fingerprint,
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

  /** A key that does not answer is a reason to try again, not a broken request. */
  async #sign<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (HoldfastError.is(error) && !error.code.startsWith('storage.')) throw error;
      throw new HoldfastError('identity.ca_unavailable', {}, { cause: error });
    }
  }

  #prepare(profile: LeafProfile): Issuance {
    const known = this.#prepared.get(profile);
    if (known) return known;
    const { crlUri, ocspUri } = this.#options;
    // RFC 6960 4.2.2.2.1: whoever may vouch for revocation is not asked about; its short life has to do.
    const isAskedAbout = profile !== 'ocsp-signer';
    const issuance = prepareIssuance(
      {
        profile: LEAF_PROFILES[profile].template,
        issuer: this.#issuing.certificate,
        ...(isAskedAbout && crlUri ? { crlUris: [crlUri(this.#issuing.record.fingerprint)] } : {}),
        ...(isAskedAbout && ocspUri !== undefined ? { ocspUris: [ocspUri] } : {}),
      },
      this.#signer,
    );
    this.#prepared.set(profile, issuance);
    return issuance;
  }
}

async function signerOf({ keyOwners, keys }: AuthorityPorts, record: CertificateRecord): Promise<Signer | undefined> {
  const owner = await keyOwners.find(record.spkiSha256);
  return owner?.kind === 'authority' ? keys.signer(owner.tenant, owner.id) : undefined;
}
