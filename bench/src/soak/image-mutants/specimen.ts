import type { ImageFormatName, ImageVerdict } from '../../../../packages/trust/src/boot/index.ts';

/** A number in an image; `hex` is eight ASCII digits, as cpio writes them. */
export interface NumberField {
  readonly at: number;
  readonly width: 1 | 2 | 3 | 4 | 8;
  readonly form: 'le' | 'be' | 'hex';
}

/** A piece of an image that can be left out, doubled or put elsewhere. */
export interface Part {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** The numbers that count its bytes, which a careful attacker sets right again. */
  readonly counted: readonly NumberField[];
}

/** What an image is made of. */
export interface Anatomy {
  readonly parts: readonly Part[];
  /** Lengths, counts, offsets and types. */
  readonly numbers: readonly NumberField[];
}

/** An image that is accepted, and who accepts it. */
export interface Specimen {
  readonly format: ImageFormatName;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly anatomy: Anatomy;
  /** Sets every checksum right again that needs no key. */
  readonly repair?: (bytes: Uint8Array) => void;
  readonly verify: (bytes: Uint8Array) => ImageVerdict;
}
