import {
  type Attester,
  type DiceKey,
  type DiceSecrets,
  deriveDiceKey,
  deriveDiceSecrets,
  issueAnchorCertificate,
  issueLayerCertificate,
  layerInputs,
} from '../evidence/index.ts';
import { sha256 } from '../primitives/hash.ts';
import { encodeUtf8 } from '@holdfast/kernel';
import type { LayerDescriptor } from '@holdfast/wire/eat';
import { type DiceMode, encodeEcSpki } from '@holdfast/wire/x509';

/** What a stage measured before it let it run. */
export interface MeasuredCode {
  /** The bytes that run. */
  readonly code: Uint8Array;
  /** The public key that signed them. */
  readonly authority: Uint8Array;
  readonly digest: Uint8Array;
  readonly digestAlgorithm: 'sha256' | 'sha384' | 'sha512';
}

/** Stands in for code when a stage goes on by itself. */
export function fixedCode(name: string, authority: Uint8Array): MeasuredCode {
  const code = encodeUtf8(name);
  return {
    code,
    authority,
    digest: sha256(code),
    digestAlgorithm: 'sha256',
  };
}

/** What a stage hands to the layer it measured: the secrets of that layer and the certificates up to it. */
export interface LayerIdentity {
  readonly secrets: DiceSecrets;
  readonly key: DiceKey;
  /** Certificates from the anchor up to this layer's own, in that order. */
  readonly certificates: readonly Uint8Array[];
}

export interface LayerStep extends MeasuredCode {
  readonly descriptor: LayerDescriptor;
  readonly mode: DiceMode;
}

/** @param secret - the fuse secret, which nobody but the first stage has */
export function firstStageIdentity(secret: Uint8Array): LayerIdentity {
  const key = deriveDiceKey(secret);
  return { secrets: { attest: secret, seal: secret }, key, certificates: [issueAnchorCertificate(key)] };
}

/** The identity of the next layer; it holds nothing from which the one below could be computed. */
export function nextIdentity(current: LayerIdentity, step: LayerStep, role: 'layer' | 'leaf'): LayerIdentity {
  const { descriptor, digest, digestAlgorithm } = step;
  const inputs = layerInputs(step.code, step.authority, descriptor, step.mode);
  const secrets = deriveDiceSecrets(current.secrets, inputs);
  const key = deriveDiceKey(secrets.attest);
  const layer = current.certificates.length;
  const certificate = issueLayerCertificate(
    current.key,
    key,
    { inputs, descriptor, digest, digestAlgorithm, layer },
    role,
  );
  return { secrets, key, certificates: [...current.certificates, certificate] };
}

/** The public half of the fuse secret's key, exported once in the factory (SubjectPublicKeyInfo, DER). */
export function attestationAnchor(secret: Uint8Array): Uint8Array {
  return encodeEcSpki('P-256', deriveDiceKey(secret).point);
}

export function attesterOf({ key, certificates }: LayerIdentity): Attester {
  return { privateKey: key.privateKey, chain: [...certificates].reverse() };
}
