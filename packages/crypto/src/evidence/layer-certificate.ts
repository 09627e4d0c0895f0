import { sign } from 'node:crypto';
import { encodeHex } from '@holdfast/kernel';
import { encodeLayerDescriptor, type LayerDescriptor } from '@holdfast/wire/eat';
import {
  encodeAlgorithm,
  encodeEcSpki,
  encodeExtension,
  encodeFromTemplate,
  encodeName,
  encodeOpenDiceInput,
  encodeSigned,
  encodeTcbInfo,
  OID,
  prepareTemplate,
} from '@holdfast/wire/x509';
import { type DiceInputs, type DiceKey, sha512 } from './dice.ts';

/** A boot stage knows no time: a fixed past and the end of time (Open DICE specification, "X.509 certificates"). */
const VALIDITY = { notBefore: Date.UTC(2018, 2, 22, 23, 59, 59), notAfter: Date.UTC(9999, 11, 31, 23, 59, 59) };

/** One layer as the stage below measured it. */
export interface LayerMeasurement {
  readonly inputs: DiceInputs;
  readonly descriptor: LayerDescriptor;
  /** Digest of the layer's image as its format defines it, the value that reference values hold. */
  readonly digest: Uint8Array;
  readonly digestAlgorithm: 'sha256' | 'sha384' | 'sha512';
  /** 1 for the bootloader, 2 for the application. */
  readonly layer: number;
}

/** The inputs that go into the secrets of a layer. */
export function layerInputs(
  code: Uint8Array,
  authority: Uint8Array,
  descriptor: LayerDescriptor,
  mode: DiceInputs['mode'],
): DiceInputs {
  return {
    codeHash: sha512(code),
    configurationHash: sha512(encodeLayerDescriptor(descriptor)),
    authorityHash: sha512(authority),
    mode,
  };
}

/** The certificate of the fuse secret's own key: the anchor, signed by itself. */
export function issueAnchorCertificate(key: DiceKey): Uint8Array {
  return issue(key, key, 'attestation-layer', []);
}

/**
 * Certifies the key of a measured layer.
 *
 * @param role - `layer` may certify a further one; `leaf` signs evidence
 */
export function issueLayerCertificate(
  issuer: DiceKey,
  subject: DiceKey,
  measured: LayerMeasurement,
  role: 'layer' | 'leaf',
): Uint8Array {
  const { inputs, descriptor, digest, digestAlgorithm, layer } = measured;
  const input = encodeOpenDiceInput({ ...inputs, configurationDescriptor: encodeLayerDescriptor(descriptor) });
  const tcb = encodeTcbInfo({
    model: descriptor.name,
    version: descriptor.version,
    svn: descriptor.securityCounter,
    layer,
    fwids: [{ hashAlgorithm: OID[digestAlgorithm], digest }],
    flags: [],
  });
  return issue(issuer, subject, `attestation-${role}`, [
    encodeExtension(OID.openDiceInput, true, input),
    encodeExtension(OID.tcbInfo, true, tcb),
  ]);
}

function issue(
  issuer: DiceKey,
  subject: DiceKey,
  profile: 'attestation-layer' | 'attestation-leaf',
  extensions: readonly Uint8Array[],
): Uint8Array {
  const algorithm = encodeAlgorithm(OID.ecdsaWithSha256);
  const template = prepareTemplate({
    profile,
    algorithm,
    issuerName: nameOf(issuer),
    authorityKeyIdentifier: issuer.id,
    extensions,
  });
  const tbs = encodeFromTemplate(template, {
    serial: subject.id,
    validity: VALIDITY,
    subject: nameOf(subject),
    spki: encodeEcSpki('P-256', subject.point),
    subjectKeyIdentifier: subject.id,
  });
  return encodeSigned(tbs, algorithm, new Uint8Array(sign('sha256', tbs, issuer.privateKey)));
}

function nameOf({ id }: DiceKey): Uint8Array {
  return encodeName([{ type: 'serialNumber', value: encodeHex(id) }]);
}
