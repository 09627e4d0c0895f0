import { createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { decodeHex, encodeHex } from '@holdfast/kernel';
import { type CborValue, encodeCbor } from '@holdfast/wire/cbor';
import { encodeProtectedHeader, encodeSign1, sign1ToBeSigned } from '@holdfast/wire/cose';
import { type EvidenceClaims, encodeEvidenceClaims, type LayerDescriptor, makeUeid } from '@holdfast/wire/eat';
import type { DiceMode } from '@holdfast/wire/x509';
import { encodeEcSpki } from '@holdfast/wire/x509';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Attester,
  type DiceKey,
  deriveDiceKey,
  deriveDiceSecrets,
  issueAnchorCertificate,
  issueLayerCertificate,
  layerInputs,
  signEvidence,
  verifyEvidence,
} from './index.ts';

const NONCE = new Uint8Array(32).fill(9);
const UEID = makeUeid(new Uint8Array(16).fill(4));
const BOOT_KEY = new Uint8Array(91).fill(1);
const IMAGE_KEY = new Uint8Array(91).fill(2);
const DIGEST = new Uint8Array(32).fill(0xab);

const APP: LayerDescriptor = { name: 'app', version: '2.0.0', securityCounter: 3, bootState: 'test', bootCount: 7 };
const BOOT: LayerDescriptor = { ...APP, name: 'boot', version: '1.0.0', securityCounter: 0 };

interface Device extends Attester {
  readonly anchor: DiceKey;
  readonly bootKey: DiceKey;
  readonly leaf: DiceKey;
}

interface Measured {
  readonly secret?: number;
  readonly app?: Partial<LayerDescriptor>;
  readonly code?: number;
  readonly mode?: DiceMode;
}

/** What the boot stages of one device do with what they find. */
function boot({ secret = 1, app = {}, code = 5, mode = 'normal' }: Measured = {}): Device {
  const uds = new Uint8Array(32).fill(secret);
  const anchor = deriveDiceKey(uds);
  const descriptor = { ...APP, ...app };
  const bootInputs = layerInputs(new Uint8Array(100).fill(3), BOOT_KEY, BOOT, mode);
  const bootSecrets = deriveDiceSecrets({ attest: uds, seal: uds }, bootInputs);
  const bootKey = deriveDiceKey(bootSecrets.attest);
  const appInputs = layerInputs(new Uint8Array(100).fill(code), IMAGE_KEY, descriptor, mode);
  const leaf = deriveDiceKey(deriveDiceSecrets(bootSecrets, appInputs).attest);
  const common = { digestAlgorithm: 'sha256' as const };
  const chain = [
    issueLayerCertificate(
      bootKey,
      leaf,
      { ...common, inputs: appInputs, descriptor, digest: DIGEST.map((x) => x ^ code), layer: 2 },
      'leaf',
    ),
    issueLayerCertificate(
      anchor,
      bootKey,
      { ...common, inputs: bootInputs, descriptor: BOOT, digest: DIGEST, layer: 1 },
      'layer',
    ),
    issueAnchorCertificate(anchor),
  ];
  return { privateKey: leaf.privateKey, chain, anchor, bootKey, leaf };
}

const claims: EvidenceClaims = {
  nonce: NONCE,
  ueid: UEID,
  bootState: 'test',
  bootCount: 7,
  debug: 'disabled-permanently',
  softwareName: 'app',
  softwareVersion: '2.0.0',
};
const device = boot();
const anchorSpki = encodeEcSpki('P-256', device.anchor.point);
const expected = { anchorSpki, nonce: NONCE, ueid: UEID };
const token = signEvidence(device, claims);

describe('layer certificates', () => {
  it('are read by the platform, each signed by the next', () => {
    const [leaf, layer, anchor] = device.chain.map((der) => new X509Certificate(der));
    expect(leaf?.verify(layer?.publicKey ?? createPublicKey(device.privateKey))).toBe(true);
    expect(layer?.verify(anchor?.publicKey ?? createPublicKey(device.privateKey))).toBe(true);
    expect(anchor?.verify(anchor.publicKey)).toBe(true);
    expect([leaf?.ca, layer?.ca, anchor?.ca]).toEqual([false, true, true]);
    expect(leaf?.validTo).toContain('9999');
    expect(leaf?.serialNumber.toLowerCase()).toBe(encodeHex(device.leaf.id));
  });
});

describe('evidence', () => {
  it('yields what the boot stages measured', () => {
    expect(verifyEvidence(token, expected)).toMatchObject({
      kind: 'measured',
      bootState: 'test',
      bootCount: 7,
      mode: 'normal',
      debug: 'disabled-permanently',
      securityCounter: 3,
      firmware: { digest: encodeHex(DIGEST.map((x) => x ^ 5)), descriptor: { version: '2.0.0' } },
      bootloader: { digest: encodeHex(DIGEST), descriptor: { name: 'boot' } },
    });
  });

  it('of another firmware shows another digest under the same anchor', () => {
    const other = boot({ code: 6, app: { version: '1.0.0', securityCounter: 1 } });
    const verdict = verifyEvidence(signEvidence(other, { ...claims, softwareVersion: '1.0.0' }), expected);
    expect(verdict).toMatchObject({
      kind: 'measured',
      securityCounter: 1,
      firmware: { digest: encodeHex(DIGEST.map((x) => x ^ 6)) },
    });
  });

  it('of safe mode is measured and says so', () => {
    const safe = boot({ mode: 'recovery', app: { bootState: 'recovery' } });
    const verdict = verifyEvidence(signEvidence(safe, { ...claims, bootState: 'recovery' }), expected);
    expect(verdict).toMatchObject({ kind: 'measured', mode: 'recovery', bootState: 'recovery' });
  });

  it.each<[string, string, Uint8Array]>([
    [
      'claims of old firmware that names the new version',
      'contradiction',
      signEvidence(boot({ code: 6, app: { version: '1.0.0' } }), claims),
    ],
    [
      'claims that call a trial boot confirmed',
      'contradiction',
      signEvidence(device, { ...claims, bootState: 'confirmed' }),
    ],
    ['claims with another boot count', 'contradiction', signEvidence(device, { ...claims, bootCount: 8 })],
    [
      'claims that call debug enabled where it is not',
      'contradiction',
      signEvidence(device, { ...claims, debug: 'enabled' }),
    ],
    ['a boot in debug mode', 'mode', signEvidence(boot({ mode: 'debug' }), { ...claims, debug: 'enabled' })],
    ['a device nobody configured', 'mode', signEvidence(boot({ mode: 'not-configured' }), claims)],
    ['a replayed nonce', 'nonce', signEvidence(device, { ...claims, nonce: new Uint8Array(32) })],
    ['a nonce that is a prefix', 'nonce', signEvidence(device, { ...claims, nonce: NONCE.subarray(0, 16) })],
    ['another ueid', 'ueid', signEvidence(device, { ...claims, ueid: makeUeid(new Uint8Array(16)) })],
    ['a foreign device', 'anchor', signEvidence(boot({ secret: 2 }), claims)],
    [
      'a foreign chain behind our anchor certificate',
      'chain',
      signEvidence(withAnchorOf(device, boot({ secret: 2 })), claims),
    ],
    [
      'the leaf of another boot under our bootloader',
      'chain',
      signEvidence(
        { ...boot({ secret: 2 }), chain: [boot({ secret: 2 }).chain[0] ?? NONCE, ...device.chain.slice(1)] },
        claims,
      ),
    ],
    ['a chain without its anchor', 'chain', signEvidence({ ...device, chain: device.chain.slice(0, 2) }, claims)],
    ['no chain', 'chain', signEvidence({ ...device, chain: [] }, claims)],
    ['a chain in the wrong order', 'anchor', signEvidence({ ...device, chain: [...device.chain].reverse() }, claims)],
    ['a layer the application made for itself', 'chain', selfMadeLayer()],
    [
      'a leaf key that signs as if it were the bootloader',
      'chain',
      signEvidence(
        {
          privateKey: device.bootKey.privateKey,
          chain: [device.chain[1] ?? NONCE, device.chain[2] ?? NONCE, device.chain[2] ?? NONCE],
        },
        claims,
      ),
    ],
    [
      'a token signed by another key',
      'signature',
      signEvidence({ ...device, privateKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }, claims),
    ],
    ['a token of another algorithm', 'algorithm', withAlgorithm('ES384')],
    [
      'a token of another profile',
      'profile',
      withPayload(encodeCbor(new Map<number, CborValue>([[265, 'urn:other']]))),
    ],
    ['claims that are no map', 'malformed', withPayload(encodeCbor([1]))],
    ['claims with a doubled key', 'malformed', withPayload(decodeHex('a20a4101 0a4102'.replace(' ', '')))],
    ['bytes after the token', 'malformed', Uint8Array.of(...token, 0)],
  ])('refuses %s (%s)', (_name, reason, bytes) => {
    expect(verifyEvidence(bytes, expected)).toMatchObject({ kind: 'refused', reason });
  });

  it('refuses the token after any one bit of it changed', () => {
    for (let at = 0; at < token.length; at++) {
      const altered = token.slice();
      altered[at] = (altered[at] ?? 0) ^ (1 << (at % 8));
      expect(verifyEvidence(altered, expected).kind, `byte ${at}`).toBe('refused');
    }
  });

  it('gives a verdict for arbitrary bytes and every truncation', () => {
    for (let length = 0; length < token.length; length += 13) {
      expect(verifyEvidence(token.subarray(0, length), expected).kind).toBe('refused');
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => verifyEvidence(bytes, expected).kind === 'refused'),
      { numRuns: 200 },
    );
  });
});

function withAnchorOf(ours: Device, theirs: Device): Attester {
  return { privateKey: theirs.privateKey, chain: [...theirs.chain.slice(0, 2), ours.chain[2] ?? NONCE] };
}

/** The application certifies a key of its own with the leaf key it was given. */
function selfMadeLayer(): Uint8Array {
  const own = deriveDiceKey(new Uint8Array(32).fill(77));
  const inputs = layerInputs(new Uint8Array(100).fill(5), IMAGE_KEY, APP, 'normal');
  const forged = issueLayerCertificate(
    device.leaf,
    own,
    { inputs, descriptor: APP, digest: DIGEST, digestAlgorithm: 'sha256', layer: 2 },
    'leaf',
  );
  return signEvidence(
    { privateKey: own.privateKey, chain: [forged, device.chain[0] ?? NONCE, device.chain[2] ?? NONCE] },
    claims,
  );
}

function withPayload(payload: Uint8Array): Uint8Array {
  const header = encodeProtectedHeader('ES256', device.chain);
  const signature = sign('sha256', sign1ToBeSigned(header, payload), {
    key: device.privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  return encodeSign1(header, payload, signature);
}

function withAlgorithm(algorithm: 'ES384'): Uint8Array {
  const header = encodeProtectedHeader(algorithm, device.chain);
  return encodeSign1(header, encodeEvidenceClaims(claims), new Uint8Array(64));
}
