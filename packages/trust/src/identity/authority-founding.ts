import { fingerprint, issueFrom, newSerial, prepareIssuance, type Signer, sha256, validityFor } from '@holdfast/crypto';
import { type Clock, encodeHex, HoldfastError, type Random } from '@holdfast/kernel';
import { type Certificate, decodeCertificate } from '@holdfast/wire/x509';
import type {
  AuditLog,
  CertificateRecord,
  CertificateRepository,
  KeyOwner,
  KeyOwnerRepository,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import type { AuthorityKeys } from './authority-keys.ts';
import { AUTHORITY_PROFILES } from './issuance-profiles.ts';

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
  /** Where a revocation list, or a part of one, will be by its id; certificates name no place when absent. */
  readonly crlUri?: (list: string) => string;
  /** Where to ask whether a certificate is revoked; certificates name no place when absent. */
  readonly ocspUri?: string | undefined;
}

export interface Authority {
  readonly record: CertificateRecord;
  readonly certificate: Certificate;
}

export function registering(
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

export function authorityOf(record: CertificateRecord): Authority {
  return { record, certificate: decodeCertificate(record.der) };
}

/** Makes a root and an issuing authority under it. */
export async function foundAuthorities(ports: AuthorityPorts, options: AuthorityOptions): Promise<void> {
  const writes: Write[] = [];
  let parent: { readonly authority: Authority; readonly signer: Signer } | undefined;
  for (const profile of ['root', 'issuing'] as const) {
    const row = AUTHORITY_PROFILES[profile];
    const keyId = `ca-${profile}-${encodeHex(ports.random.bytes(8))}`;
    const key = await ports.keys.creating({ profile, tenant: options.tenant, keyId, actor: 'system' });
    // Small devices verify nothing else.
    if (key.signer.algorithm !== 'ecdsa-p256-sha256') throw new HoldfastError('identity.weak_key');
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
