import { encodeHex } from '@holdfast/kernel';
import type { ReleaseManifest } from '@holdfast/wire/manifest';
import { describe, expect, it } from 'vitest';
import { judgeManifest, MANIFEST_RULES, type ManifestFacts } from './manifest-policy.ts';

const HASH = new Uint8Array(32).fill(1);
const manifest: ReleaseManifest = {
  tenant: 'default',
  product: 'hub',
  hardwareRevision: 'a1',
  version: '2.0.0',
  securityCounter: 3,
  imageSha256: HASH,
  length: 1000,
  sequence: 5,
  expires: 2000,
};
const facts: ManifestFacts = {
  profile: { tenant: 'default', product: 'hub', hardwareRevision: 'a1', serial: 's', ueid: '01' },
  installed: { sequence: 4, version: '1.0.0', imageSha256: encodeHex(new Uint8Array(32)) },
  running: '1.0.0',
  securityCounter: 3,
  maxSecurityCounter: 256,
  capacity: 1000,
  now: 1999,
};
const same = { sequence: 5, version: '2.0.0', imageSha256: encodeHex(HASH) };

describe('the manifest policy', () => {
  it('installs what breaks no rule, at the very edge of each', () => {
    expect(judgeManifest(manifest, facts)).toBe('install');
    expect(judgeManifest(manifest, { ...facts, installed: undefined, now: undefined })).toBe('install');
  });

  it('knows what it runs already', () => {
    expect(judgeManifest(manifest, { ...facts, installed: same, running: '2.0.0' })).toBe('installed');
  });

  it('installs again what it had and no longer runs', () => {
    expect(judgeManifest(manifest, { ...facts, installed: same, running: '1.0.0' })).toBe('install');
    expect(judgeManifest(manifest, { ...facts, installed: same, running: undefined })).toBe('install');
  });

  const broken: readonly [string, Partial<ReleaseManifest>, Partial<ManifestFacts>][] = [
    ['device.wrong_product', { tenant: 'other' }, {}],
    ['device.wrong_product', { product: 'other' }, {}],
    ['device.wrong_product', { hardwareRevision: 'b1' }, {}],
    ['device.manifest_expired', {}, { now: 2000 }],
    ['device.counter_too_low', { securityCounter: 2 }, {}],
    ['device.counter_too_high', { securityCounter: 257 }, {}],
    ['device.older_release', { sequence: 3 }, {}],
    ['device.release_conflict', { sequence: 4 }, {}],
    ['device.release_conflict', { version: '1.0.0' }, {}],
    ['device.image_too_large', { length: 1001 }, {}],
  ];

  it.each(broken)('answers %s for %j %j', (code, change, known) => {
    expect(judgeManifest({ ...manifest, ...change }, { ...facts, ...known })).toBe(code);
  });

  it('has a case for every rule', () => {
    expect(new Set(broken.map(([code]) => code))).toEqual(new Set(MANIFEST_RULES.map(({ code }) => code)));
  });
});
