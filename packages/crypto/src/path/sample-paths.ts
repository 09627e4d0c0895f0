import { systemRandom } from '@holdfast/kernel';
import {
  type Certificate,
  decodeCertificate,
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeExtension,
  encodeExtKeyUsage,
  encodeGeneralNames,
  encodeKeyUsage,
  encodeName,
  encodeNameConstraints,
  encodeSigned,
  encodeSubjectKeyIdentifier,
  encodeTbsCertificate,
  type GeneralName,
  OID,
} from '@holdfast/wire/x509';
import { subjectKeyIdentifier, newSerial } from '../issuance/certificate.ts';
import { encodeSignatureAlgorithm } from '../keys/algorithms.ts';
import { generatePrivateKey, type PrivateKey } from '../keys/private-key.ts';
import { createSigner } from '../keys/signer.ts';
import { type PathInput, type PathVerdict, validatePath } from './validate.ts';

/** Paths for tests: right ones, and any with a fault one asks for. */

export const NOW = Date.UTC(2026, 5, 1);
export const DAY = 86_400_000;
const DATES = { notBefore: NOW - DAY, notAfter: NOW + DAY };
const keys = await Promise.all(Array.from({ length: 6 }, () => generatePrivateKey('P-256')));

export interface Spec {
  readonly name: string;
  readonly key: PrivateKey;
  readonly ca?: boolean;
  readonly pathLen?: number;
  readonly usage?: readonly ('keyCertSign' | 'cRLSign' | 'digitalSignature')[];
  readonly purposes?: readonly string[];
  readonly san?: readonly GeneralName[];
  readonly permitted?: readonly GeneralName[];
  readonly excluded?: readonly GeneralName[];
  readonly dates?: { readonly notBefore: number; readonly notAfter: number };
  readonly serial?: Uint8Array;
  readonly extra?: readonly Uint8Array[];
  readonly drop?: readonly string[];
  readonly innerAlgorithm?: Uint8Array;
  readonly criticalBasic?: boolean;
}

export const nameOf = (name: string) => encodeName([{ type: 'commonName', value: name }]);
export const dns = (text: string): GeneralName => ({ kind: 'dns', text });

/** A certificate with any fault one asks for; `issuer` is its name and key. */
export async function make(
  spec: Spec,
  issuer: { readonly name: string; readonly key: PrivateKey } = spec,
): Promise<Certificate> {
  const { ca = false, key, permitted = [], excluded = [], drop = [] } = spec;
  const signer = createSigner(issuer.key);
  const algorithm = encodeSignatureAlgorithm(signer.algorithm);
  const id = (holder: PrivateKey) => subjectKeyIdentifier(holder.publicKey.spki.subarray(-65));
  const all: readonly (readonly [string, boolean, Uint8Array])[] = [
    [OID.basicConstraints, spec.criticalBasic ?? ca, encodeBasicConstraints({ ca, pathLen: spec.pathLen })],
    [OID.keyUsage, true, encodeKeyUsage(spec.usage ?? (ca ? ['keyCertSign', 'cRLSign'] : ['digitalSignature']))],
    [OID.subjectKeyIdentifier, false, encodeSubjectKeyIdentifier(id(key))],
    [OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier(id(issuer.key))],
    ...(spec.purposes === undefined ? [] : [[OID.extKeyUsage, false, encodeExtKeyUsage(spec.purposes)] as const]),
    ...(spec.san === undefined ? [] : [[OID.subjectAltName, false, encodeGeneralNames(spec.san)] as const]),
    ...(permitted.length + excluded.length === 0
      ? []
      : [[OID.nameConstraints, true, encodeNameConstraints({ permitted, excluded })] as const]),
  ];
  const tbs = encodeTbsCertificate({
    serial: spec.serial ?? newSerial(systemRandom),
    algorithm: spec.innerAlgorithm ?? algorithm,
    issuer: nameOf(issuer.name),
    validity: spec.dates ?? DATES,
    subject: nameOf(spec.name),
    spki: key.publicKey.spki,
    extensions: [
      ...all
        .filter(([oid]) => !drop.includes(oid))
        .map(([oid, critical, value]) => encodeExtension(oid, critical, value)),
      ...(spec.extra ?? []),
    ],
  });
  return decodeCertificate(encodeSigned(tbs, algorithm, await signer.sign(tbs)));
}

export const key = (index: number) => keys[index % keys.length] as PrivateKey;
export const ROOT = { name: 'root', key: key(0), ca: true };
export const ISSUING = { name: 'issuing', key: key(1), ca: true, pathLen: 0 };
export const DEVICE = { name: 'device', key: key(2), purposes: [OID.clientAuth], san: [dns('dev.example.com')] };

export interface Fault {
  readonly root?: Partial<Spec>;
  readonly issuing?: Partial<Spec>;
  readonly device?: Partial<Spec>;
  readonly input?: Partial<PathInput>;
}

/** The verdict on root, issuing authority and device, each changed as the fault says. */
export async function judge({ root, issuing, device, input }: Fault): Promise<PathVerdict> {
  const [rootSpec, issuingSpec] = [
    { ...ROOT, ...root },
    { ...ISSUING, ...issuing },
  ];
  return validatePath({
    leaf: await make({ ...DEVICE, ...device }, issuingSpec),
    intermediates: [await make(issuingSpec, rootSpec)],
    anchors: [await make(rootSpec)],
    now: NOW,
    purpose: OID.clientAuth,
    ...input,
  });
}
