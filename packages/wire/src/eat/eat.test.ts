import { encodeHex, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CborKey, type CborValue, decodeCborMap, encodeCbor } from '../cbor/index.ts';
import {
  decodeEvidenceClaims,
  decodeLayerDescriptor,
  EAT_CLAIM,
  type EvidenceClaims,
  encodeEvidenceClaims,
  encodeLayerDescriptor,
  makeUeid,
} from './index.ts';

const claims: EvidenceClaims = {
  nonce: new Uint8Array(32).fill(1),
  ueid: makeUeid(new Uint8Array(16).fill(2)),
  bootState: 'test',
  bootCount: 3,
  debug: 'disabled-permanently',
  softwareName: 'app',
  softwareVersion: '1.2.3',
};
const encoded = encodeEvidenceClaims(claims);

function changed(key: CborKey, value: CborValue | undefined): Uint8Array {
  const map = new Map(decodeCborMap(encoded));
  if (value === undefined) map.delete(key);
  else map.set(key, value);
  return encodeCbor(map);
}

describe('evidence claims', () => {
  it('use the claim keys of RFC 9711', () => {
    const map = decodeCborMap(encoded);
    expect(map.get(10)).toEqual(claims.nonce);
    expect(map.get(256)).toEqual(claims.ueid);
    expect(map.get(263)).toBe(3);
    expect(map.get(267)).toBe(3);
    expect(map.get(271)).toEqual(['1.2.3']);
    expect(encodeHex(encoded.subarray(0, 2))).toBe('a80a');
  });

  it('survive a round trip', () => {
    expect(decodeEvidenceClaims(encoded)).toEqual(claims);
  });

  it('ignore a claim they do not know', () => {
    expect(decodeEvidenceClaims(changed(-80_000, 1))).toEqual(claims);
  });

  it.each<[string, CborKey, CborValue | undefined]>([
    ['no nonce', EAT_CLAIM.nonce, undefined],
    ['a nonce of 7 bytes', EAT_CLAIM.nonce, new Uint8Array(7)],
    ['two nonces', EAT_CLAIM.nonce, [new Uint8Array(8), new Uint8Array(8)]],
    ['a ueid of 34 bytes', EAT_CLAIM.ueid, new Uint8Array(34)],
    ['another profile', EAT_CLAIM.profile, 'urn:other'],
    ['an unknown debug status', EAT_CLAIM.dbgstat, 5],
    ['a negative boot count', EAT_CLAIM.bootcount, -1],
    ['an unknown boot state', EAT_CLAIM.bootState, 'fine'],
    ['a version that is not a list', EAT_CLAIM.swversion, '1.2.3'],
    ['a name that is not text', EAT_CLAIM.swname, 7],
  ])('are refused with %s', (_name, key, value) => {
    expect(() => decodeEvidenceClaims(changed(key, value))).toThrow(HoldfastError);
  });

  it('are refused at every truncation and never throw anything else', () => {
    for (let length = 0; length < encoded.length; length++) {
      expect(() => decodeEvidenceClaims(encoded.subarray(0, length))).toThrow(HoldfastError);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(() => decodeEvidenceClaims(bytes)).toThrow(HoldfastError);
      }),
      { numRuns: 200 },
    );
  });

  it('refuse a random part of another length', () => {
    expect(() => makeUeid(new Uint8Array(15))).toThrow(HoldfastError);
  });
});

describe('the descriptor of a measured layer', () => {
  const layer = { name: 'app', version: '1.0.0', securityCounter: 3, bootState: 'test', bootCount: 9 } as const;
  const bytes = encodeLayerDescriptor(layer);

  it('survives a round trip and uses the labels of the Android profile of Open DICE', () => {
    expect(decodeLayerDescriptor(bytes)).toEqual(layer);
    expect([...decodeCborMap(bytes).keys()].slice(0, 3)).toEqual([-70_002, -70_003, -70_005]);
  });

  it.each<[number, CborValue | undefined]>([
    [-70_002, 1],
    [-70_003, undefined],
    [-70_005, -1],
    [-70_101, 'other'],
    [-70_102, 'x'],
  ])('is refused when member %i is %j', (key, value) => {
    const map = new Map(decodeCborMap(bytes));
    if (value === undefined) map.delete(key);
    else map.set(key, value);
    expect(() => decodeLayerDescriptor(encodeCbor(map))).toThrow(HoldfastError);
  });

  it('is refused at every truncation', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeLayerDescriptor(bytes.subarray(0, length))).toThrow(HoldfastError);
    }
  });
});
