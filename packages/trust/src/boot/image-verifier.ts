import { IMAGE_FORMATS, type ImageFormatName, type PolicyOf } from './formats.ts';
import type { ImageVerdict } from './image-format.ts';

/** Judges images of one format by the keys a device trusts. */
export class ImageVerifier<Name extends ImageFormatName> {
  readonly #verify: (bytes: Uint8Array, policy?: PolicyOf<Name>) => ImageVerdict;

  /**
   * @param keys - SubjectPublicKeyInfo each.
   * @throws `boot.unsupported_key` for a key the format does not know
   */
  constructor(format: Name, keys: readonly Uint8Array[]) {
    this.#verify = IMAGE_FORMATS[format].verifier(keys);
  }

  /** Accepted with the very bytes that were judged, or refused with the reason. */
  verify(bytes: Uint8Array, policy?: PolicyOf<Name>): ImageVerdict {
    return this.#verify(bytes, policy);
  }
}
