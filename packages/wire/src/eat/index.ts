import { HoldfastError } from '@holdfast/kernel';
import { type CborForm, type CborMap, type CborValue, decodeCborMap, encodeCbor } from '../cbor/index.ts';
import { BOOT_STATES, type BootState } from '../holdfast/index.ts';

/** The profile a Holdfast device names in claim 265. */
export const EAT_PROFILE = 'urn:holdfast:eat:1';

/** Claim keys: RFC 9711 (IANA CWT registry); below -65536 private use (RFC 8392 section 9.1). */
export const EAT_CLAIM = {
  nonce: 10,
  ueid: 256,
  dbgstat: 263,
  profile: 265,
  bootcount: 267,
  swname: 270,
  swversion: 271,
  bootState: -70_001,
} as const;

/** RFC 9711 4.2.9: 0 enabled, 1 disabled, 2 disabled since boot, 3 permanently, 4 fully and permanently. */
export const DEBUG_STATUS = [
  'enabled',
  'disabled',
  'disabled-since-boot',
  'disabled-permanently',
  'disabled-fully',
] as const;
export type DebugStatus = (typeof DEBUG_STATUS)[number];

/** The claims of a Holdfast evidence token. What the boot stages measured stands in the certificates, not here. */
export interface EvidenceClaims {
  /** 8 to 64 bytes. */
  readonly nonce: Uint8Array;
  /** 7 to 33 bytes; the first is the type (RFC 9711 4.2.1). */
  readonly ueid: Uint8Array;
  readonly bootState: BootState;
  readonly bootCount: number;
  readonly debug: DebugStatus;
  readonly softwareName: string;
  readonly softwareVersion: string;
}

/** A universal entity id of type RAND (0x01) from 16, 24 or 32 random bytes. */
export function makeUeid(random: Uint8Array): Uint8Array {
  if (![16, 24, 32].includes(random.length))
    throw new HoldfastError('wire.malformed', { field: 'ueid', reason: 'length' });
  return Uint8Array.of(0x01, ...random);
}

export function encodeEvidenceClaims(claims: EvidenceClaims): Uint8Array {
  return encodeCbor(
    new Map<number, CborValue>([
      [EAT_CLAIM.nonce, claims.nonce],
      [EAT_CLAIM.ueid, claims.ueid],
      [EAT_CLAIM.dbgstat, DEBUG_STATUS.indexOf(claims.debug)],
      [EAT_CLAIM.profile, EAT_PROFILE],
      [EAT_CLAIM.bootcount, claims.bootCount],
      [EAT_CLAIM.swname, claims.softwareName],
      [EAT_CLAIM.swversion, [claims.softwareVersion]],
      [EAT_CLAIM.bootState, claims.bootState],
    ]),
  );
}

/**
 * Decodes the claims of our profile; claims it does not know are ignored (RFC 9711 section 6).
 *
 * @throws `wire.malformed` naming the claim, `wire.unsupported` for another profile
 */
export function decodeEvidenceClaims(bytes: Uint8Array, form: CborForm = 'strict'): EvidenceClaims {
  const claims = decodeCborMap(bytes, { form });
  if (claims.get(EAT_CLAIM.profile) !== EAT_PROFILE)
    throw new HoldfastError('wire.unsupported', { field: 'eat_profile' });
  const version = claims.get(EAT_CLAIM.swversion);
  const debug = DEBUG_STATUS[uint(claims, 'dbgstat')];
  const state = BOOT_STATES.find((each) => each === claims.get(EAT_CLAIM.bootState));
  if (debug === undefined) throw malformed('dbgstat');
  if (state === undefined) throw malformed('bootState');
  if (!Array.isArray(version)) throw malformed('swversion');
  return {
    nonce: bytesOf(claims, 'nonce', 8, 64),
    ueid: bytesOf(claims, 'ueid', 7, 33),
    bootState: state,
    bootCount: uint(claims, 'bootcount'),
    debug,
    softwareName: text(claims.get(EAT_CLAIM.swname), 'swname'),
    softwareVersion: text(version[0] as CborValue | undefined, 'swversion'),
  };
}

type ClaimName = keyof typeof EAT_CLAIM;

function bytesOf(claims: CborMap, name: ClaimName, min: number, max: number): Uint8Array {
  const value = claims.get(EAT_CLAIM[name]);
  if (!(value instanceof Uint8Array) || value.length < min || value.length > max) throw malformed(name);
  return value;
}

function uint(claims: CborMap, name: ClaimName): number {
  const value = claims.get(EAT_CLAIM[name]);
  if (typeof value !== 'number' || value < 0) throw malformed(name);
  return value;
}

function text(value: CborValue | undefined, field: string): string {
  if (typeof value !== 'string' || value.length > 128) throw malformed(field);
  return value;
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field });
}
export { decodeLayerDescriptor, encodeLayerDescriptor, type LayerDescriptor } from './layer-descriptor.ts';
