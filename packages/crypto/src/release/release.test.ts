import { decodeUtf8, encodeUtf8 } from '@holdfast/kernel';
import {
  encodeReleaseManifest,
  encodeReleaseRoot,
  type ReleaseManifest,
  type ReleaseRoot,
  ROOT_PAYLOAD_TYPE,
} from '@holdfast/wire/manifest';
import { beforeAll, describe, expect, it } from 'vitest';
import { signDsse } from '../dsse/verify.ts';
import { generatePrivateKey } from '../keys/private-key.ts';
import { createSigner, type Signer } from '../keys/signer.ts';
import { signReleaseManifest, signReleaseRoot, verifyReleaseManifest, verifyRootChange } from './index.ts';

const manifest: ReleaseManifest = {
  tenant: 'default',
  product: 'hub',
  hardwareRevision: 'a1',
  version: '1.2.3',
  securityCounter: 4,
  imageSha256: new Uint8Array(32).fill(0xab),
  length: 600_000,
  sequence: 9,
};

let [a, b, c, stranger]: Signer[] = [];

beforeAll(async () => {
  const keys = await Promise.all((['P-256', 'P-256', 'ed25519', 'P-256'] as const).map(generatePrivateKey));
  [a, b, c, stranger] = keys.map((key) => createSigner(key));
});

const of = (...signers: readonly (Signer | undefined)[]): Signer[] => signers.filter((each) => each !== undefined);
const root = (version: number, threshold: number, ...signers: readonly (Signer | undefined)[]): ReleaseRoot => ({
  version,
  threshold,
  keys: of(...signers).map(({ publicKeySpki }) => publicKeySpki),
});

/** Changes the parsed envelope. */
function edited(
  envelope: Uint8Array,
  change: (parsed: { payload: string; payloadType: string; signatures: unknown[] }) => void,
): Uint8Array {
  const parsed = JSON.parse(decodeUtf8(envelope));
  change(parsed);
  return encodeUtf8(JSON.stringify(parsed));
}

describe('a release manifest', () => {
  it('is believed when a threshold of root keys signed it', async () => {
    const envelope = await signReleaseManifest(manifest, of(a, c));
    expect(verifyReleaseManifest(envelope, root(1, 2, a, b, c))).toMatchObject({ kind: 'accepted', manifest });
  });

  it('is refused with too few keys, one key twice, or a stranger', async () => {
    const trusted = root(1, 2, a, b);
    for (const signers of [of(a), of(a, a), of(a, stranger), of(stranger)]) {
      const verdict = verifyReleaseManifest(await signReleaseManifest(manifest, signers), trusted);
      expect(verdict).toEqual({ kind: 'refused', reason: 'below-threshold' });
    }
  });

  it('is refused with its payload, its type or its signatures changed', async () => {
    const trusted = root(1, 1, a);
    const envelope = await signReleaseManifest(manifest, of(a));
    const other = Buffer.from(encodeReleaseManifest({ ...manifest, version: '9.9.9' })).toString('base64');
    const refused = (bytes: Uint8Array) => expect(verifyReleaseManifest(bytes, trusted).kind).toBe('refused');
    refused(
      edited(envelope, (parsed) => {
        parsed.payload = other;
      }),
    );
    refused(
      edited(envelope, (parsed) => {
        parsed.payloadType = ROOT_PAYLOAD_TYPE;
      }),
    );
    refused(
      edited(envelope, (parsed) => {
        parsed.signatures = [];
      }),
    );
    refused(envelope.subarray(0, envelope.length - 1));
    for (const offset of [20, 80, 160]) {
      const flipped = envelope.slice();
      flipped[offset] = (flipped[offset] ?? 0) ^ 1;
      refused(flipped);
    }
  });

  it('is refused when the same keys signed it as another kind of document', async () => {
    const envelope = await signDsse(ROOT_PAYLOAD_TYPE, encodeReleaseManifest(manifest), of(a));
    expect(verifyReleaseManifest(envelope, root(1, 1, a))).toEqual({ kind: 'refused', reason: 'wrong-type' });
  });
});

describe('a change of the release root', () => {
  it('is taken when old and new thresholds signed it', async () => {
    const next = root(2, 1, b);
    expect(verifyRootChange(await signReleaseRoot(next, of(a, b)), root(1, 1, a))).toEqual({
      kind: 'accepted',
      root: next,
    });
  });

  it('is refused without the old keys, without the new ones, or out of order', async () => {
    const old = root(1, 1, a);
    expect(verifyRootChange(await signReleaseRoot(root(2, 1, b), of(b)), old)).toMatchObject({
      reason: 'below-threshold',
    });
    expect(verifyRootChange(await signReleaseRoot(root(2, 1, b), of(a)), old)).toMatchObject({
      reason: 'below-threshold',
    });
    expect(verifyRootChange(await signReleaseRoot(root(2, 2, a, b), of(a)), old)).toMatchObject({
      reason: 'below-threshold',
    });
    for (const version of [1, 3]) {
      expect(verifyRootChange(await signReleaseRoot(root(version, 1, b), of(a, b)), old)).toEqual({
        kind: 'refused',
        reason: 'version',
      });
    }
    expect(verifyRootChange(encodeReleaseRoot(root(2, 1, b)), old)).toEqual({ kind: 'refused', reason: 'malformed' });
  });
});
