import type { Pkcs11SignOrder } from '@holdfast/crypto/pkcs11';
import type { Pkcs11Reference } from './key-reference.ts';

/** The first message to the process: what to load, and the PIN. */
export interface Pkcs11Opening {
  readonly modulePath: string;
  readonly pin: string;
}

export type Pkcs11Work =
  | { readonly kind: 'describe'; readonly reference: Pkcs11Reference }
  | { readonly kind: 'sign'; readonly reference: Pkcs11Reference; readonly order: Pkcs11SignOrder };

export type Pkcs11Question = Pkcs11Work & { readonly number: number };

export type Pkcs11Answer =
  | { readonly number: number; readonly kind: 'done'; readonly bytes: Uint8Array }
  /** `fault` is a name of the module's or of ours, never its words. */
  | { readonly number: number; readonly kind: 'failed'; readonly fault: string };
