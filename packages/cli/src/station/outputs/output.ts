import type { PrivateKey } from '@holdfast/crypto';
import type { Random } from '@holdfast/kernel';

/** Everything a device's files are made of. */
export interface StationDevice {
  readonly serial: string;
  readonly product: string;
  /** Undefined when the device keeps its key to itself. */
  readonly key: PrivateKey | undefined;
  /** Undefined for a device that gets its certificate in the field. */
  readonly certificate: StationCertificate | undefined;
  /** The roots a device of this product trusts. */
  readonly anchorsPem: string;
  /** SHA-256 of the root in force, hex. */
  readonly rootFingerprint: string;
  /** What opens the claim once, of a device that gets its certificate in the field. */
  readonly password: string | undefined;
  /** Where such a device asks: `https://host:8444`. */
  readonly enrollUrl: string | undefined;
  readonly nvs: { readonly length: number; readonly encrypted: boolean };
  readonly random: Random;
}

export interface StationCertificate {
  /** Device certificate first, then issuers; the root is not among them. DER. */
  readonly chain: readonly Uint8Array[];
  /** The same as PEM. */
  readonly chainPem: string;
  readonly fingerprint: string;
}

/** One file of a device's folder. */
export interface OutputFile {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** Readable by its owner alone. */
  readonly secret: boolean;
}
