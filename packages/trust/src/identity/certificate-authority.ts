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
import { type Clock, encodeHex, HoldfastError, type Random } from '@holdfast/kernel';
import { type Certificate, decodeCertificate, type GeneralName } from '@holdfast/wire/x509';
import type {
  AuditLog,
  CertificateRecord,
  CertificateRepository,
  EnrollmentDoorName,
  Fingerprint,
  KeyOwner,
  KeyOwnerRepository,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import type { AuthorityKeys } from './authority-keys.ts';
import { AUTHORITY_PROFILES, type LeafProfile, LEAF_PROFILES } from './issuance-profiles.ts';

export interface AuthorityPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly certificates: CertificateRepository;
  readonly keyOwners: KeyOwnerRepository;
  readonly keys: AuthorityKeys;
}

export interface AuthorityOptions {
  readonly tenant: Tenant;
  /** Organization of the authorities' names. */
  readonly organization: string;
  /** Where the revocation list of an issuer will be; certificates name no place when absent. */
  readonly crlUri?: (issuer: Fingerprint) => string;
}

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

interface Authority {
  readonly record: CertificateRecord;
  readonly certificate: Certificate;
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
    if (issuing === undefined) await found(ports, options);
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
    const { crlUri } = this.#options;
    const issuance = prepareIssuance(
      {
        profile: LEAF_PROFILES[profile].template,
        issuer: this.#issuing.certificate,
        ...(crlUri === undefined ? {} : { crlUris: [crlUri(this.#issuing.record.fingerprint)] }),
      },
      this.#signer,
    );
    this.#prepared.set(profile, issuance);
    return issuance;
  }
}

function registering(
  { certificates, audit }: Pick<AuthorityPorts, 'certificates' | 'audit'>,
  record: CertificateRecord,
  actor: string,
): readonly Write[] {
  return [
    certificates.inserting(record),
    audit.entry({
      tenant: record.tenant,
      actor,
      action: 'certificate.issued',
      subject: record.fingerprint,
      details: {
        profile: record.profile,
        serialNumber: record.serialNumber,
        subject: record.subjectId ?? null,
        key: record.spkiSha256,
        keyOrigin: record.keyOrigin,
        door: record.door,
      },
    }),
  ];
}

async function signerOf({ keyOwners, keys }: AuthorityPorts, record: CertificateRecord): Promise<Signer | undefined> {
  const owner = await keyOwners.find(record.spkiSha256);
  return owner?.kind === 'authority' ? keys.signer(owner.tenant, owner.id) : undefined;
}

function authorityOf(record: CertificateRecord): Authority {
  return { record, certificate: decodeCertificate(record.der) };
}

/** Makes a root and an issuing authority under it. */
async function found(ports: AuthorityPorts, options: AuthorityOptions): Promise<void> {
  const writes: Write[] = [];
  let parent: { readonly authority: Authority; readonly signer: Signer } | undefined;
  for (const profile of ['root', 'issuing'] as const) {
    const row = AUTHORITY_PROFILES[profile];
    const keyId = `ca-${profile}-${encodeHex(ports.random.bytes(8))}`;
    const key = await ports.keys.creating({ tenant: options.tenant, keyId, actor: 'system' });
    const issuer = parent?.authority;
    const signer = parent?.signer ?? key.signer;
    const subjectName = [
      { type: 'organization', value: options.organization },
      { type: 'commonName', value: `${options.organization} ${row.title}` },
    ] as const;
    const serial = newSerial(ports.random);
    const now = ports.clock.now();
    const validity = validityFor({
      now,
      lifetimeMs: row.lifetimeMs,
      ...(issuer === undefined ? {} : { issuer: issuer.certificate.validity }),
    });
    const issuance = prepareIssuance(
      { profile, selfName: subjectName, ...(issuer === undefined ? {} : { issuer: issuer.certificate }) },
      signer,
    );
    const der = await issueFrom(issuance, { subjectName, publicKey: key.signer.publicKeySpki, serial, ...validity });
    const own = fingerprint(der);
    const spkiSha256 = encodeHex(sha256(key.signer.publicKeySpki));
    const record: CertificateRecord = {
      tenant: options.tenant,
      fingerprint: own,
      serialNumber: encodeHex(serial),
      profile,
      state: 'active',
      der,
      spkiSha256,
      issuer: issuer?.record.fingerprint ?? own,
      subjectId: profile,
      claimId: undefined,
      keyOrigin: 'server',
      door: 'local',
      ...validity,
      issuedAt: now,
      firstUsedAt: undefined,
      revokedAt: undefined,
      revocationReason: undefined,
    };
    const owner: KeyOwner = { spkiSha256, tenant: options.tenant, kind: 'authority', id: keyId };
    writes.push(...key.writes, ...registering(ports, record, 'system'), ports.keyOwners.inserting(owner));
    parent = { authority: authorityOf(record), signer: key.signer };
  }
  await ports.store.commit(writes);
}
