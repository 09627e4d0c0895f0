import type { ImageFormatName } from '@holdfast/trust/boot';
import { HoldfastError } from '@holdfast/kernel';
import { ESP_CHIPS, type EspChip, findEspChip } from '@holdfast/wire/esp32';
import type { Command } from 'commander';
import { counterOf, type FormatCommandLine } from './format-command-line.ts';
import { readDecryptionKeyFile } from './key-files.ts';
import { MCUBOOT_OPTIONS, mcubootOptions, vendorTypesOf } from './mcuboot-options.ts';
import { NRF5_COMMAND_LINE, NSIB_COMMAND_LINE } from './nordic-options.ts';
import { NXP_COMMAND_LINE } from './nxp-options.ts';
import { PSOC64_COMMAND_LINE } from './psoc64-options.ts';
import { RAUC_COMMAND_LINE, SWUPDATE_COMMAND_LINE } from './linux-options.ts';
import { choice, collect, type Given, optionalNumber, text } from './option-values.ts';

const ESP_OPTIONS = [
  { flags: '--max-blocks <count>', words: 'esp32-v2: signature blocks the chip reads: 1, 2 or 3; by --chip otherwise' },
  { flags: '--chip <name>', words: `esp32-v2: chip the application is for: ${[...ESP_CHIPS.values()].join(', ')}` },
  { flags: '--secure-page <bytes>', words: 'esp32-v2: page the application must be padded to, 65536 on most chips' },
];

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
      return {
        clear: given['clear'] === true,
        paddedSignatures: given['allowPaddedSignature'] === true,
        nonBootable: given['allowNonBootable'] === true,
        vendorTypes: vendorTypesOf(given),
        ...(key === undefined ? {} : { decryptionKey: readDecryptionKeyFile(key, passphrase) }),
        ...counterOf(given),
      };
    },
  },
  'esp32-v2': {
    signOptions: [
      { flags: '--append', words: 'the input is signed: keep its signature blocks and add one' },
      ...ESP_OPTIONS,
    ],
    readSignOptions: (given) => ({ append: given['append'] === true, ...blocksOf(given), ...chipOf(given) }),
    verifyOptions: ESP_OPTIONS,
    readPolicy: (given) => ({ ...counterOf(given), ...blocksOf(given), ...chipOf(given) }),
  },
  'esp32-v1': {
    signOptions: [],
    readSignOptions: () => ({}),
    verifyOptions: [],
    readPolicy: counterOf,
  },
  'nrf5-dfu': NRF5_COMMAND_LINE,
  nsib: NSIB_COMMAND_LINE,
  'nxp-lpc55': NXP_COMMAND_LINE,
  psoc64: PSOC64_COMMAND_LINE,
  rauc: RAUC_COMMAND_LINE,
  swupdate: SWUPDATE_COMMAND_LINE,
};

const BLOCKS = { '1': 1, '2': 2, '3': 3 } as const;

function blocksOf(given: Given): { readonly maxBlocks?: 1 | 2 | 3 } {
  const count = text(given, 'maxBlocks');
  return count === undefined ? {} : { maxBlocks: BLOCKS[choice(count, ['1', '2', '3'], 'max-blocks')] };
}

function chipOf(given: Given): { readonly chip?: EspChip; readonly securePage?: number } {
  const name = text(given, 'chip');
  const chip = name === undefined ? undefined : findEspChip(name);
  if (name !== undefined && chip === undefined) throw new HoldfastError('boot.bad_option', { option: 'chip' });
  const securePage = optionalNumber(given, 'securePage', 'secure-page');
  if (securePage !== undefined && (securePage < 4096 || securePage % 4096 !== 0))
    throw new HoldfastError('boot.bad_option', { option: 'secure-page' });
  return { ...(chip === undefined ? {} : { chip }), ...(securePage === undefined ? {} : { securePage }) };
}

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
