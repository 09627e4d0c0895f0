import { HoldfastError } from '@holdfast/kernel';
import { IMAGE_FORMATS, type ImageFormatName, type PolicyOf } from './formats.ts';
import type { ByteSource } from '@holdfast/crypto';
import type { ImageVerdict, SourceVerdict } from './image-format.ts';

/** Judges images of one format by the keys a device trusts. */
export class ImageVerifier<Name extends ImageFormatName> {
  readonly #verify: (bytes: Uint8Array, policy?: PolicyOf<Name>) => ImageVerdict;
  readonly #verifySource: ((source: ByteSource, policy?: PolicyOf<Name>) => Promise<SourceVerdict>) | undefined;

  /**
   * @param keys - SubjectPublicKeyInfo each.
   * @throws `boot.unsupported_key` for a key the format does not know
   */
  constructor(format: Name, keys: readonly Uint8Array[]) {
    this.#verify = IMAGE_FORMATS[format].verifier(keys);
    this.#verifySource = IMAGE_FORMATS[format].sourceVerifier?.(keys);
  }

  /** Accepted with the very bytes that were judged, or refused with the reason. */
  verify(bytes: Uint8Array, policy?: PolicyOf<Name>): ImageVerdict {
    return this.#verify(bytes, policy);
  }

  /** Whether images of this format are judged where they lie, whatever their size. */
  get streams(): boolean {
    return this.#verifySource !== undefined;
  }

  /**
   * As `verify` for an image that is never held whole.
   *
   * @throws `boot.unsupported_operation` for a format whose images always fit memory
   */
  async verifySource(source: ByteSource, policy?: PolicyOf<Name>): Promise<SourceVerdict> {
    if (this.#verifySource === undefined)
      throw new HoldfastError('boot.unsupported_operation', { operation: 'stream' });
    return await this.#verifySource(source, policy);
  }
}
