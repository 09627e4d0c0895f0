import {
  type DiceKey,
  deriveDiceKey,
  deriveDiceSecrets,
  issueAnchorCertificate,
  issueLayerCertificate,
  layerInputs,
  signEvidence,
} from '@holdfast/crypto';
import { encodeHex } from '@holdfast/kernel';
import { type EvidenceClaims, type LayerDescriptor, makeUeid } from '@holdfast/wire/eat';
import type { BootState } from '@holdfast/wire/holdfast';
import { type DiceMode, encodeEcSpki } from '@holdfast/wire/x509';

/** What the boot stages of a device find when they start. */
export interface BootSituation {
  readonly version?: string;
  readonly counter?: number;
  readonly bootState?: BootState;
  readonly mode?: DiceMode;
  /** One byte that stands for the whole image. */
  readonly image?: number;
}

const BOOT_KEY = new Uint8Array(91).fill(1);
const IMAGE_KEY = new Uint8Array(91).fill(2);
const BOOT_STAGE: LayerDescriptor = {
  name: 'boot',
  version: '1.0.0',
  securityCounter: 0,
  bootState: 'confirmed',
  bootCount: 1,
};

/** Hex SHA-256 that stands for an image's measurement. */
export function digestOf(image: number): string {
  return encodeHex(digestBytes(image));
}

/** A device with a fuse secret: boots, measures what it boots, and signs evidence with the key that follows from it. */
export class EvidenceDevice {
  readonly ueid: Uint8Array;
  readonly anchorSpki: Uint8Array;
  readonly #secret: Uint8Array;
  readonly #anchor: DiceKey;

  constructor(seed: number) {
    this.#secret = new Uint8Array(32).fill(seed);
    this.#anchor = deriveDiceKey(this.#secret);
    this.ueid = makeUeid(new Uint8Array(16).fill(seed));
    this.anchorSpki = encodeEcSpki('P-256', this.#anchor.point);
  }

  /** A token over `nonce`; `lie` replaces claims the application makes, `measured` what it forges into a certificate. */
  evidence(
    nonce: Uint8Array,
    situation: BootSituation = {},
    lie: Partial<EvidenceClaims> & { readonly measured?: BootSituation } = {},
  ): Uint8Array {
    const { version = '1.0.0', counter = 1, bootState = 'confirmed', mode = 'normal', image = 1 } = situation;
    const { measured, ...claimed } = lie;
    const bootInputs = layerInputs(new Uint8Array(100).fill(3), BOOT_KEY, BOOT_STAGE, mode);
    const bootSecrets = deriveDiceSecrets({ attest: this.#secret, seal: this.#secret }, bootInputs);
    const bootKey = deriveDiceKey(bootSecrets.attest);
    const app: LayerDescriptor = { name: 'app', version, securityCounter: counter, bootState, bootCount: 1 };
    const inputs = layerInputs(new Uint8Array(100).fill(image), IMAGE_KEY, app, mode);
    const leaf = deriveDiceKey(deriveDiceSecrets(bootSecrets, inputs).attest);
    const shown: LayerDescriptor = measured
      ? { ...app, version: measured.version ?? version, securityCounter: measured.counter ?? counter }
      : app;
    const chain = [
      // Only the boot stage holds the key that certifies measurements: a forger signs with what it has, the leaf's.
      issueLayerCertificate(
        measured ? leaf : bootKey,
        leaf,
        {
          digestAlgorithm: 'sha256',
          inputs: layerInputs(new Uint8Array(100).fill(image), IMAGE_KEY, shown, mode),
          descriptor: shown,
          digest: digestBytes(measured?.image ?? image),
          layer: 2,
        },
        'leaf',
      ),
      issueLayerCertificate(
        this.#anchor,
        bootKey,
        { digestAlgorithm: 'sha256', inputs: bootInputs, descriptor: BOOT_STAGE, digest: digestBytes(0), layer: 1 },
        'layer',
      ),
      issueAnchorCertificate(this.#anchor),
    ];
    return signEvidence(
      { privateKey: leaf.privateKey, chain },
      {
        nonce,
        ueid: this.ueid,
        bootState,
        bootCount: 1,
        debug: mode === 'debug' ? 'enabled' : 'disabled-permanently',
        softwareName: 'app',
        softwareVersion: version,
        ...claimed,
      },
    );
  }
}

function digestBytes(image: number): Uint8Array {
  return new Uint8Array(32).fill(image);
}
