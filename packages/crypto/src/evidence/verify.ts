import { type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import { equalBytes, HoldfastError } from '@holdfast/kernel';
import { decodeSign1, type Sign1, sign1ToBeSigned } from '@holdfast/wire/cose';
import { type DebugStatus, decodeEvidenceClaims, type EvidenceClaims } from '@holdfast/wire/eat';
import type { BootState } from '@holdfast/wire/holdfast';
import type { DiceMode } from '@holdfast/wire/x509';
import { verifyLayerChain, type VerifiedLayer } from './layer-chain.ts';

/** What the verifier knows of the device and of this exchange. */
export interface EvidenceExpectation {
  /** SubjectPublicKeyInfo (DER) of the device's attestation anchor, registered in the factory step. */
  readonly anchorSpki: Uint8Array;
  /** The nonce given to this device; that it is fresh and used once is for the caller to see to. */
  readonly nonce: Uint8Array;
  readonly ueid: Uint8Array;
  /** Modes that may pass; `normal` and `recovery` unless given. */
  readonly modes?: readonly DiceMode[];
}

/** Everything here but `claimed` is what the boot stages measured. */
export interface MeasuredEvidence {
  readonly kind: 'measured';
  readonly bootState: BootState;
  readonly bootCount: number;
  readonly mode: DiceMode;
  readonly debug: DebugStatus;
  /** Counter of the image that runs. */
  readonly securityCounter: number;
  /** The image that runs; in recovery the stage that stands in for it. */
  readonly firmware: VerifiedLayer;
  readonly bootloader: VerifiedLayer;
  readonly claimed: Pick<EvidenceClaims, 'softwareName' | 'softwareVersion'>;
}

/** Why evidence proves nothing. */
export type EvidenceRefusal =
  | 'malformed'
  | 'algorithm'
  | 'chain'
  | 'anchor'
  | 'signature'
  | 'profile'
  | 'nonce'
  | 'ueid'
  | 'mode'
  | 'contradiction';

export interface RefusedEvidence {
  readonly kind: 'refused';
  readonly reason: EvidenceRefusal;
  /** The member or certificate concerned. */
  readonly detail: string;
}

export type EvidenceVerdict = MeasuredEvidence | RefusedEvidence;

/**
 * Judges an evidence token of our profile: form, chain to the device's own anchor, signature, nonce, ueid, mode.
 *
 * Measurement, counter and boot state come from the certificates; a claim that says otherwise refuses the whole.
 * Dates of DICE layers mean nothing and are not looked at. Whether the measured image may run is for posture.
 *
 * @param token - COSE_Sign1 bytes
 */
export function verifyEvidence(token: Uint8Array, expected: EvidenceExpectation): EvidenceVerdict {
  const message = decoded(() => decodeSign1(token));
  if (isRefusal(message)) return message;
  if (message.algorithm !== 'ES256') return refused('algorithm', message.algorithm);
  const chain = verifyLayerChain(message.chain, expected.anchorSpki);
  if (chain.kind === 'refused') return refused(chain.reason, chain.detail);
  if (!isSignedBy(message, chain.leafKey)) return refused('signature', 'token');
  const claims = decoded(() => decodeEvidenceClaims(message.payload));
  if (isRefusal(claims)) return claims;
  if (!isEqual(claims.nonce, expected.nonce)) return refused('nonce', 'nonce');
  if (!equalBytes(claims.ueid, expected.ueid)) return refused('ueid', 'ueid');
  return appraise(chain.layers, claims, expected.modes ?? ['normal', 'recovery']);
}

function appraise(
  layers: readonly VerifiedLayer[],
  claims: EvidenceClaims,
  modes: readonly DiceMode[],
): EvidenceVerdict {
  const [firmware, bootloader] = layers;
  if (firmware === undefined || bootloader === undefined) return refused('chain', 'length');
  const { bootState, bootCount, securityCounter, name, version } = firmware.descriptor;
  const mode = modes.includes(bootloader.mode) ? firmware.mode : bootloader.mode;
  if (!modes.includes(mode)) return refused('mode', mode);
  if ((mode === 'recovery') !== (bootState === 'recovery')) return refused('contradiction', 'recovery');
  const wrong = contradiction(claims, { bootState, bootCount, name, version, debug: mode === 'debug' });
  if (wrong !== undefined) return refused('contradiction', wrong);
  const { debug, softwareName, softwareVersion } = claims;
  return {
    kind: 'measured',
    bootState,
    bootCount,
    mode,
    debug,
    securityCounter,
    firmware,
    bootloader,
    claimed: { softwareName, softwareVersion },
  };
}

interface Measured {
  readonly bootState: BootState;
  readonly bootCount: number;
  readonly name: string;
  readonly version: string;
  readonly debug: boolean;
}

/** Software that says of itself what was not measured is lying. */
function contradiction(claims: EvidenceClaims, measured: Measured): string | undefined {
  if (claims.bootState !== measured.bootState) return 'boot state';
  if (claims.bootCount !== measured.bootCount) return 'boot count';
  if (claims.softwareName !== measured.name) return 'software name';
  if (claims.softwareVersion !== measured.version) return 'software version';
  return (claims.debug === 'enabled') === measured.debug ? undefined : 'debug status';
}

function isSignedBy({ protectedBytes, payload, signature }: Sign1, key: KeyObject): boolean {
  return verify('sha256', sign1ToBeSigned(protectedBytes, payload), { key, dsaEncoding: 'ieee-p1363' }, signature);
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function decoded<T extends object>(read: () => T): T | RefusedEvidence {
  try {
    return read();
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    const field = typeof error.details['field'] === 'string' ? error.details['field'] : 'token';
    if (field === 'alg') return refused('algorithm', field);
    return field === 'eat_profile' ? refused('profile', field) : refused('malformed', field);
  }
}

function isRefusal(value: object): value is RefusedEvidence {
  return 'kind' in value && value.kind === 'refused';
}

function refused(reason: EvidenceRefusal, detail: string): RefusedEvidence {
  return { kind: 'refused', reason, detail };
}
