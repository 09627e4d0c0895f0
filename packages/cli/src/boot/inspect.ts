import { detectFormat, IMAGE_FORMATS, type ImageFact, type ImageFormatName } from '@holdfast/trust/boot';
import { HoldfastError } from '@holdfast/kernel';

/** What an image file says about itself; nothing of it is proven. */
export interface Inspection {
  readonly format: ImageFormatName;
  readonly facts: readonly ImageFact[];
}

/** @throws `boot.bad_magic` when no format begins like this; the format's decoding errors */
export function inspectBytes(bytes: Uint8Array, format: ImageFormatName | undefined): Inspection {
  const found = format ?? detectFormat(bytes);
  if (found === undefined) throw new HoldfastError('boot.bad_magic');
  return { format: found, facts: IMAGE_FORMATS[found].inspect(bytes) };
}
