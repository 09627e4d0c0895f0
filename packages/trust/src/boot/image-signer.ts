import { publishedTestKey, type Signer } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { IMAGE_FORMATS, type ImageFormatName, type SignOptionsOf } from './formats.ts';
import type { AcceptedImage, PreparedImage } from './image-format.ts';

export interface ImageSignerPorts {
  /** In memory, in a lockbox, in a hardware module; its algorithm must be the one the format asks of such a key. */
  readonly signer: Signer;
  /** Development only: sign with keys whose private half a vendor publishes. Default false. */
  readonly allowTestKeys?: boolean;
}

/** An image as it goes to devices, and what our verifier proved about it. */
export interface SignedImage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly proof: AcceptedImage;
}

/** Signs images, and hands out none that our own verifier would refuse. */
export class ImageSigner {
  readonly #ports: ImageSignerPorts;

  constructor(ports: ImageSignerPorts) {
    this.#ports = ports;
  }

  /**
   * @throws `boot.test_key`, `boot.result_refused`, `boot.unsupported_key`, `boot.bad_option` and the format's own errors
   */
  async sign<Name extends ImageFormatName>(
    format: Name,
    payload: Uint8Array,
    options: SignOptionsOf<Name>,
  ): Promise<SignedImage> {
    const { signer, allowTestKeys = false } = this.#ports;
    const prepared = prepareImage(format, payload, options, { publicKeySpki: signer.publicKeySpki, allowTestKeys });
    const { algorithm, message } = prepared.request;
    if (signer.algorithm !== algorithm)
      throw new HoldfastError('boot.unsupported_key', { signer: signer.algorithm, algorithm });
    return finishImage(prepared, await signer.sign(message));
  }
}

/** Whose signature an image waits for. */
export interface Signatory {
  readonly publicKeySpki: Uint8Array;
  readonly allowTestKeys?: boolean;
}

/**
 * The first step of signing where the key never comes here: what has to be signed.
 *
 * @throws as {@link ImageSigner.sign}
 */
export function prepareImage<Name extends ImageFormatName>(
  format: Name,
  payload: Uint8Array,
  options: SignOptionsOf<Name>,
  { publicKeySpki, allowTestKeys = false }: Signatory,
): PreparedImage {
  const row = IMAGE_FORMATS[format];
  for (const spki of allowTestKeys ? [] : [publicKeySpki, ...row.recipients(options)]) refuseTestKey(spki);
  return row.prepare(payload, options, publicKeySpki);
}

/**
 * The second step: puts the signature in and judges the result.
 *
 * @throws `boot.result_refused` when our own verifier refuses it
 */
export function finishImage(prepared: PreparedImage, signature: Uint8Array): SignedImage {
  const verdict = prepared.judge(signature);
  if (verdict.kind === 'refused')
    throw new HoldfastError('boot.result_refused', { code: verdict.code, ...verdict.details });
  return { bytes: prepared.finish(signature), proof: verdict };
}

/** A product signed with a published key can be signed for by anyone (GHSA-gcxh-546h-phg4). */
function refuseTestKey(spki: Uint8Array): void {
  const name = publishedTestKey(spki);
  if (name !== undefined) throw new HoldfastError('boot.test_key', { name });
}
