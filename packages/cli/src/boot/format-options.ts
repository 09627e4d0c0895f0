import type { ImageFormatName, PolicyOf, SignOptionsOf } from '@holdfast/trust/boot';
import type { Command } from 'commander';
import { readDecryptionKeyFile } from './key-files.ts';
import { type FormatOption, MCUBOOT_OPTIONS, mcubootOptions } from './mcuboot-options.ts';
import { collect, type Given, many, numberOf, text } from './option-values.ts';

/** How the command line speaks about one format. */
interface FormatCommandLine<Name extends ImageFormatName> {
  readonly signOptions: readonly FormatOption[];
  readSignOptions(given: Given): SignOptionsOf<Name>;
  readonly verifyOptions: readonly FormatOption[];
  readPolicy(given: Given, passphrase: string | undefined): PolicyOf<Name>;
}

const COMMAND_LINES: { readonly [Name in ImageFormatName]: FormatCommandLine<Name> } = {
  mcuboot: {
    signOptions: MCUBOOT_OPTIONS,
    readSignOptions: mcubootOptions,
    verifyOptions: [
      { flags: '--decrypt-key <key>', words: 'private key or AES wrapping key of an encrypted image' },
      { flags: '--clear', words: 'the payload is in clear although the header names a cipher' },
      { flags: '--allow-padded-signature', words: 'accept signatures padded for MCUboot before 1.5' },
      { flags: '--allow-non-bootable', words: 'accept images marked as not bootable' },
      { flags: '--vendor-type <type>', words: 'allow this entry type outside the vendor range', repeats: true },
    ],
    readPolicy(given, passphrase) {
      const key = text(given, 'decryptKey');
      const minCounter = text(given, 'minCounter');
      return {
        clear: given['clear'] === true,
        paddedSignatures: given['allowPaddedSignature'] === true,
        nonBootable: given['allowNonBootable'] === true,
        vendorTypes: many(given, 'vendorType').map((type) => numberOf(type, 'vendor-type')),
        ...(key === undefined ? {} : { decryptionKey: readDecryptionKeyFile(key, passphrase) }),
        ...(minCounter === undefined ? {} : { minCounter: numberOf(minCounter, 'min-counter') }),
      };
    },
  },
};

export function commandLineOf<Name extends ImageFormatName>(format: Name): FormatCommandLine<Name> {
  return COMMAND_LINES[format];
}

/** Adds the options of every format to a command; a flag that formats share is added once. */
export function addFormatOptions(command: Command, kind: 'signOptions' | 'verifyOptions'): Command {
  const seen = new Set<string>();
  for (const line of Object.values(COMMAND_LINES)) {
    for (const { flags, words, repeats } of line[kind]) {
      if (seen.has(flags)) continue;
      seen.add(flags);
      if (repeats === true) command.option(flags, words, collect);
      else command.option(flags, words);
    }
  }
  return command;
}
