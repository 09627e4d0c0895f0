import type { ByteSource, EspAlgorithm } from '@holdfast/crypto';
import type { ErrorCode, ErrorDetails } from '@holdfast/kernel';

/** What a signer is asked for. */
export interface ImageSignatureRequest {
  readonly algorithm: EspAlgorithm;
  /** The message that the algorithm itself hashes; an ECDSA signature comes as DER. */
  readonly message: Uint8Array;
}

/** An image laid out and waiting for its signature. */
export interface PreparedImage {
  readonly request: ImageSignatureRequest;
  /** The image with this signature, not yet judged. */
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
  /** The judgement of our own verifier on the image with this signature. */
  judge(signature: Uint8Array): ImageVerdict;
}

/** An image that every rule of its format let pass. */
export interface AcceptedImage {
  readonly kind: 'accepted';
  /** The very bytes that were judged, without padding: what may be installed. */
  readonly bytes: Uint8Array;
  readonly payload: Uint8Array;
  /** Lower-case hex of the image's own hash: the measurement that boot code reports. */
  readonly digest: string;
  /** Lower-case hex of the signer's key as the format names it. */
  readonly keyId: string;
  readonly version: string;
  readonly securityCounter: number | undefined;
  /** The key is published for tests by a vendor: shown, and refused for signing. */
  readonly testKey: string | undefined;
}

export interface RefusedImage {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly reason: string;
  readonly details: ErrorDetails;
}

export type ImageVerdict = AcceptedImage | RefusedImage;

/** An image that was judged where it lies and never held whole. */
export interface AcceptedSource extends Omit<AcceptedImage, 'bytes' | 'payload'> {
  readonly size: number;
}

export type SourceVerdict = AcceptedSource | RefusedImage;

/** One line of what an image says about itself. */
export interface ImageFact {
  readonly part: string;
  readonly name: string;
  readonly value: string;
}

/** What every format's policy can demand. */
export interface ImagePolicy {
  /** Floor of the security counter; an image without a counter is refused when given. */
  readonly minCounter?: number;
}

/** One image format: a row of the registry. */
export interface ImageFormat<Options, Policy extends ImagePolicy> {
  readonly name: string;
  readonly title: string;
  /** False for a format that is only verified here. */
  readonly signs: boolean;
  /** Whether the bytes begin like an image of this format. */
  detect(bytes: Uint8Array): boolean;
  /**
   * What an image says about itself; nothing of it is proven.
   *
   * @throws the format's decoding errors
   */
  inspect(bytes: Uint8Array): readonly ImageFact[];
  /** @throws `boot.unsupported_key`, `boot.bad_option` and the format's own errors */
  prepare(payload: Uint8Array, options: Options, publicKeySpki: Uint8Array): PreparedImage;
  /** SubjectPublicKeyInfo of keys beside the signer's that the options name: they must be no published test keys either. */
  recipients(options: Options): readonly Uint8Array[];
  /**
   * A verifier for the keys a device trusts, which are read once.
   *
   * @param keys - SubjectPublicKeyInfo each.
   * @throws `boot.unsupported_key`
   */
  verifier(keys: readonly Uint8Array[]): (bytes: Uint8Array, policy?: Policy) => ImageVerdict;
  /** As `verifier` for an image of any size that is read by range, in formats whose images outgrow memory. */
  sourceVerifier?(keys: readonly Uint8Array[]): (source: ByteSource, policy?: Policy) => Promise<SourceVerdict>;
}
