import {
  importAnyPublicKey,
  issueCertificate,
  newSerial,
  type PublicKey,
  type Signer,
  signatureAlgorithmOf,
  validityFor,
  verifyCsr,
  verifySignatureAsync,
} from '@holdfast/crypto';
import { type Clock, equalBytes, HoldfastError, type Random } from '@holdfast/kernel';
import { decodePemBlocks, encodePem } from '@holdfast/wire/pem';
import { type Certificate, decodeCertificate, encodeName, type Name, type NamePart, OID } from '@holdfast/wire/x509';

import { AUTHORITY_PROFILES } from './issuance-profiles.ts';

/** Where a ceremony is held: any machine; no store, no network. */
export interface CeremonyPorts {
  readonly clock: Clock;
  readonly random: Random;
}

export interface OfflineRoot {
  readonly certificate: Certificate;
  readonly signer: Signer;
}

/** What the server asks a root for. */
export interface AuthorityRequest {
  /** PKCS#10 by the issuing key. */
  readonly csrDer: Uint8Array;
  /** The root that devices trust so far. */
  readonly formerRootDer: Uint8Array;
}

/** What a ceremony gives back to the server. */
export interface AuthorityChain {
  /** The issuing key and name, certified by the new root. */
  readonly issuingDer: Uint8Array;
  readonly rootDer: Uint8Array;
  /** OldWithNew (RFC 4210 4.4): the former root's key certified by the new root; absent when it is the same root. */
  readonly oldWithNewDer: Uint8Array | undefined;
}

/** Names an authority bears; two roots must not share one, or path builders have to guess. */
const NAME_TYPES: Readonly<Record<string, NamePart['type']>> = {
  [OID.organization]: 'organization',
  [OID.organizationalUnit]: 'organizationalUnit',
  [OID.country]: 'country',
  [OID.commonName]: 'commonName',
};

/** Makes a self-signed root of the signer's key: DER. @throws `crypto.*` when the key or a name cannot be used */
export function makeRoot(
  { clock, random }: CeremonyPorts,
  name: { readonly organization: string; readonly commonName: string },
  signer: Signer,
): Promise<Uint8Array> {
  return issueCertificate(
    {
      profile: 'root',
      subjectName: [
        { type: 'organization', value: name.organization },
        { type: 'commonName', value: name.commonName },
      ],
      publicKey: signer.publicKeySpki,
      serial: newSerial(random),
      ...validityFor({ now: clock.now(), lifetimeMs: AUTHORITY_PROFILES.root.lifetimeMs }),
    },
    signer,
  );
}

/**
 * Certifies the server's issuing key, and the former root's, by an offline root.
 *
 * @throws `identity.bad_csr` without proof of possession; `identity.weak_key` for anything but P-256;
 * `identity.ceremony_mismatch` when the former root is none or a name cannot be written back as it was
 */
export async function signAuthority(
  { clock, random }: CeremonyPorts,
  root: OfflineRoot,
  request: AuthorityRequest,
): Promise<AuthorityChain> {
  const csr = await checkRequest(request.csrDer);
  const former = decodeCertificate(request.formerRootDer);
  await checkSelfSigned(former);
  const { certificate: issuer, signer } = root;
  const now = clock.now();
  const isSameRoot = equalBytes(former.spki.raw, issuer.spki.raw);
  const certify = (profile: 'root' | 'issuing', subject: Name, publicKey: PublicKey | Uint8Array, until: number) =>
    issueCertificate(
      {
        profile,
        issuer,
        subjectName: partsOf(subject),
        publicKey,
        serial: newSerial(random),
        ...validityFor({ now, lifetimeMs: until - now, issuer: issuer.validity }),
      },
      signer,
    );
  return {
    issuingDer: await certify('issuing', csr.subject, csr.publicKey, now + AUTHORITY_PROFILES.issuing.lifetimeMs),
    rootDer: issuer.raw,
    oldWithNewDer: isSameRoot
      ? undefined
      : await certify('root', former.subject, former.spki.raw, former.validity.notAfter),
  };
}

/** @throws `identity.ceremony_mismatch` unless the certificate is an authority's, signed by its own key */
export async function checkSelfSigned(certificate: Certificate): Promise<void> {
  const isOwnName = equalBytes(certificate.subject.raw, certificate.issuer.raw);
  const isAuthority = certificate.known.basicConstraints?.ca === true;
  if (!isOwnName || !isAuthority || !(await isSignedBy(certificate, certificate))) throw mismatch('root');
}

/** Whether `issuer`'s key made the signature; names and dates are the caller's to compare. */
export async function isSignedBy(certificate: Certificate, issuer: Certificate): Promise<boolean> {
  const key = importAnyPublicKey(issuer.spki.raw);
  const algorithm = signatureAlgorithmOf(certificate.signatureAlgorithm, key.kind);
  return algorithm !== undefined && verifySignatureAsync(algorithm, key, certificate.tbs, certificate.signature);
}

/** A name in the parts it is written from. @throws `identity.ceremony_mismatch` when they would not give the same bytes */
export function partsOf(name: Name): readonly NamePart[] {
  const parts = name.rdns.flat().map(({ type, text }) => {
    const known = NAME_TYPES[type];
    if (known === undefined || text === undefined) throw mismatch('name');
    return { type: known, value: text };
  });
  if (!equalBytes(encodeName(parts), name.raw)) throw mismatch('name');
  return parts;
}

export function mismatch(field: string): HoldfastError {
  return new HoldfastError('identity.ceremony_mismatch', { field });
}

/** Reads what the server wrote for the ceremony. @throws `identity.ceremony_mismatch`, `wire.*` */
export function readRequest(pem: string): AuthorityRequest {
  const blocks = decodePemBlocks(pem);
  const [csr, ...moreRequests] = blocks.filter(({ label }) => label === 'CERTIFICATE REQUEST');
  const [root, ...moreRoots] = blocks.filter(({ label }) => label === 'CERTIFICATE');
  if (csr === undefined || root === undefined || moreRequests.length + moreRoots.length > 0) throw mismatch('request');
  return { csrDer: csr.bytes, formerRootDer: root.bytes };
}

/** What the server reads back. */
export function writeChain({ issuingDer, rootDer, oldWithNewDer }: AuthorityChain): string {
  const ders = [issuingDer, rootDer, ...(oldWithNewDer === undefined ? [] : [oldWithNewDer])];
  return ders.map((der) => encodePem('CERTIFICATE', der)).join('');
}

/** Tells the certificates of a chain apart by what they say. @throws `identity.ceremony_mismatch`, `wire.*` */
export function readChain(pem: string): AuthorityChain {
  const certificates = decodePemBlocks(pem)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ bytes }) => decodeCertificate(bytes));
  const isSelfIssued = ({ issuer, subject }: Certificate) => equalBytes(issuer.raw, subject.raw);
  const isLast = ({ known }: Certificate) => known.basicConstraints?.pathLen === 0;
  const only = (name: string, found: readonly Certificate[]) => {
    const [one] = found;
    if (one === undefined || found.length > 1) throw mismatch(name);
    return one.raw;
  };
  const crosses = certificates.filter((each) => !isSelfIssued(each) && !isLast(each));
  return {
    issuingDer: only(
      'issuing',
      certificates.filter((each) => !isSelfIssued(each) && isLast(each)),
    ),
    rootDer: only('root', certificates.filter(isSelfIssued)),
    oldWithNewDer: crosses.length === 0 ? undefined : only('former root', crosses),
  };
}

async function checkRequest(der: Uint8Array): Promise<{ readonly publicKey: PublicKey; readonly subject: Name }> {
  const { publicKey, info } = await verifyCsr(der).catch((cause: unknown) => {
    throw new HoldfastError('identity.bad_csr', {}, { cause });
  });
  // Small devices verify nothing else than P-256.
  if (publicKey.kind.kind !== 'ec' || publicKey.kind.curve !== 'P-256') throw new HoldfastError('identity.weak_key');
  return { publicKey, subject: info.subject };
}
