import { fingerprint, issueCertificate, newSerial, type Signer, sha256, validityFor } from '@holdfast/crypto';
import { encodeHex, equalBytes, type EpochMs, HoldfastError } from '@holdfast/kernel';
import { type Certificate, decodeCertificate } from '@holdfast/wire/x509';
import type { CertificateProfile, CertificateRecord, Fingerprint, Tenant, Write } from '../ports/index.ts';
import type { AuthorityBonds } from './authority-bonds.ts';
import { type AuthorityPorts, registering } from './authority-founding.ts';
import { type AuthorityChain, checkSelfSigned, isSignedBy, mismatch, partsOf } from './ceremony.ts';

export interface Installation {
  readonly tenant: Tenant;
  readonly actor: string;
  readonly bonds: AuthorityBonds;
  readonly chain: AuthorityChain;
  /** As the operator read it where the ceremony was held: the chain itself may come from anybody. */
  readonly rootFingerprint: Fingerprint;
  /** The former root's key, needed to vouch for another root. */
  readonly formerRootSigner: Signer | undefined;
}

/**
 * Takes in what a ceremony made.
 *
 * @returns the writes of one unit: the issuing key's new certificate and, for a new root, the root with both crosses
 * @throws `identity.ceremony_mismatch` naming what does not fit; `identity.root_key_offline` when nobody here can vouch
 * for the new root to devices that trust the former one
 */
export async function installing(ports: AuthorityPorts, installation: Installation): Promise<readonly Write[]> {
  const { bonds, chain, rootFingerprint, tenant, actor } = installation;
  const root = decodeCertificate(chain.rootDer);
  if (fingerprint(chain.rootDer) !== rootFingerprint) throw mismatch('root fingerprint');
  const now = ports.clock.now();
  const issuing = decodeCertificate(chain.issuingDer);
  await checkIssuing(issuing, root, bonds, now);
  const isKnownRoot = bonds.root.record.fingerprint === rootFingerprint;
  const made = isKnownRoot ? [] : await newRoot(ports, installation, root, now);
  const issuer = new Map([
    [encodeHex(root.subject.raw), rootFingerprint],
    [encodeHex(bonds.root.certificate.subject.raw), bonds.root.record.fingerprint],
  ]);
  const record = (profile: CertificateProfile, certificate: Certificate) =>
    recordOf({ tenant, profile, certificate, now, issuer: issuer.get(encodeHex(certificate.issuer.raw)) ?? '' });
  return [
    ...registering(ports, record('issuing', issuing), actor),
    ...made.flatMap(({ profile, certificate }) => registering(ports, record(profile, certificate), actor)),
    ...(isKnownRoot
      ? []
      : [
          ports.keyOwners.inserting({
            spkiSha256: encodeHex(sha256(root.spki.raw)),
            tenant,
            kind: 'authority',
            id: `offline-root-${rootFingerprint.slice(0, 16)}`,
          }),
        ]),
    ports.audit.entry({
      tenant,
      actor,
      action: 'authority.installed',
      subject: rootFingerprint,
      details: { issuing: fingerprint(chain.issuingDer), formerRoot: bonds.root.record.fingerprint },
    }),
  ];
}

interface Made {
  readonly profile: CertificateProfile;
  readonly certificate: Certificate;
}

async function newRoot(
  { random }: AuthorityPorts,
  { bonds, chain, formerRootSigner }: Installation,
  root: Certificate,
  now: EpochMs,
): Promise<readonly Made[]> {
  const former = bonds.root.certificate;
  await checkSelfSigned(root);
  if (equalBytes(root.subject.raw, former.subject.raw)) throw mismatch('root name');
  if (!isValid(root, now)) throw mismatch('root validity');
  if (chain.oldWithNewDer === undefined) throw mismatch('former root');
  const oldWithNew = decodeCertificate(chain.oldWithNewDer);
  await checkSuccession(oldWithNew, former, root, now);
  if (formerRootSigner === undefined) throw new HoldfastError('identity.root_key_offline');
  const newWithOldDer = await issueCertificate(
    {
      profile: 'root',
      issuer: former,
      subjectName: partsOf(root.subject),
      publicKey: root.spki.raw,
      serial: newSerial(random),
      ...validityFor({ now, lifetimeMs: root.validity.notAfter - now, issuer: former.validity }),
    },
    formerRootSigner,
  );
  return [
    { profile: 'root', certificate: root },
    { profile: 'cross', certificate: oldWithNew },
    { profile: 'cross', certificate: decodeCertificate(newWithOldDer) },
  ];
}

/** The same key and name as before: whatever it signed, and will sign, is verified by both certificates. */
async function checkIssuing(
  issuing: Certificate,
  root: Certificate,
  { current }: AuthorityBonds,
  now: EpochMs,
): Promise<void> {
  await checkSuccession(issuing, current.certificate, root, now);
  const { basicConstraints, keyUsage } = issuing.known;
  if (basicConstraints?.pathLen !== 0 || keyUsage?.has('cRLSign') !== true) throw mismatch('issuing profile');
}

/** Another certificate of `known`'s key and name, by `issuer`. */
async function checkSuccession(
  certificate: Certificate,
  known: Certificate,
  issuer: Certificate,
  now: EpochMs,
): Promise<void> {
  if (!equalBytes(certificate.spki.raw, known.spki.raw)) throw mismatch('key');
  if (!equalBytes(certificate.subject.raw, known.subject.raw)) throw mismatch('name');
  if (!equalBytes(certificate.issuer.raw, issuer.subject.raw)) throw mismatch('issuer');
  if (!(await isSignedBy(certificate, issuer))) throw mismatch('signature');
  if (!isValid(certificate, now)) throw mismatch('validity');
  const { basicConstraints, keyUsage } = certificate.known;
  if (basicConstraints?.ca !== true || keyUsage?.has('keyCertSign') !== true) throw mismatch('profile');
}

function isValid({ validity }: Certificate, now: EpochMs): boolean {
  return now >= validity.notBefore && now < validity.notAfter;
}

function recordOf(input: {
  readonly tenant: Tenant;
  readonly profile: CertificateProfile;
  readonly certificate: Certificate;
  readonly issuer: Fingerprint;
  readonly now: EpochMs;
}): CertificateRecord {
  const { tenant, profile, certificate, issuer, now } = input;
  return {
    tenant,
    fingerprint: fingerprint(certificate.raw),
    serialNumber: certificate.serial,
    profile,
    state: 'active',
    der: certificate.raw,
    spkiSha256: encodeHex(sha256(certificate.spki.raw)),
    issuer,
    subjectId: profile,
    claimId: undefined,
    keyOrigin: profile === 'issuing' ? 'server' : 'device',
    door: 'local',
    ...certificate.validity,
    issuedAt: now,
    firstUsedAt: undefined,
    revokedAt: undefined,
    revocationReason: undefined,
  };
}
