import type { ImageFormatName, PolicyOf, SignOptionsOf } from '@holdfast/trust/boot';
import type { FormatOption } from './mcuboot-options.ts';
import { type Given, numberOf, text } from './option-values.ts';

/** How the command line speaks about one format. */
export interface FormatCommandLine<Name extends ImageFormatName> {
  readonly signOptions: readonly FormatOption[];
  readSignOptions(given: Given): SignOptionsOf<Name>;
  readonly verifyOptions: readonly FormatOption[];
  readPolicy(given: Given, passphrase: string | undefined): PolicyOf<Name>;
}

/** The floor of the counter, which every format takes. */
export function counterOf(given: Given): { readonly minCounter?: number } {
  const counter = text(given, 'minCounter');
  return counter === undefined ? {} : { minCounter: numberOf(counter, 'min-counter') };
}
