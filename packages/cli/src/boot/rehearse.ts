import { HoldfastError, systemClock } from '@holdfast/kernel';
import { type ImageFormatName, parseFormatName, rehearse, type RehearsalRequest } from '@holdfast/trust/boot';
import type { Command } from 'commander';
import { AnswerIsNo } from '../output/failure.ts';
import type { CommandIo } from '../output/io.ts';
import { rehearsalTable } from '../output/rehearsal.ts';
import { formatJson } from '../output/table.ts';
import { readImageFile } from './files.ts';
import { readKeyFile, spkiOf } from './key-files.ts';
import { collect, type Given, many, numberOf, optionalNumber, required, text } from './option-values.ts';
import { readPassphrase } from './passphrase.ts';

const DEFAULT_CUTS = '64';
const DEFAULT_SECONDS = '60';

/** `holdfast boot rehearse`: exit 1 when the release would be refused. */
export function registerRehearse(noun: Command, io: CommandIo): void {
  noun
    .command('rehearse')
    .description('boot an image in a virtual chip, with power cuts and attacks; exit 1 when anything is refused')
    .argument('<image>', 'signed image, raw or Intel HEX')
    .requiredOption(
      '--format <format>',
      'mcuboot, psoc64, esp32-v2; rauc and swupdate by their slots; others are verified and no more',
    )
    .requiredOption('--key <file>', 'public key the boot code holds; may be given several times', collect)
    .option('--from <file>', 'firmware in the field to update from; may be given several times', collect)
    .option('--chip <chip>', 'nrf52840, lpc55s69, psoc64, stm32f4, stm32l4, esp32, esp32-c3')
    .option('--strategy <strategy>', 'swap-move, swap-offset, swap-scratch, overwrite-only, direct-xip, esp-ota')
    .option('--slot-size <bytes>', "bytes of a slot (default: the chip's own)")
    .option('--cuts <number>', 'power cuts for each firmware, or all', DEFAULT_CUTS)
    .option('--seconds <number>', 'no further cut after so long', DEFAULT_SECONDS)
    .option('--seed <number>', 'the same seed cuts at the same places', '1')
    .option('--passphrase <reference>', 'of an encrypted key: env:NAME or file:PATH')
    .option('--json', 'one JSON document')
    .action(async (image: string, given: Given) => {
      const format = parseFormatName(required(given, 'format', 'format'));
      const report = await rehearse(requestOf(format, image, { given, io }), { clock: systemClock });
      io.out(given['json'] === true ? formatJson(report) : rehearsalTable(report, io));
      if (report.result === 'refused') throw new AnswerIsNo();
    });
}

function requestOf(
  format: ImageFormatName,
  image: string,
  { given, io }: { readonly given: Given; readonly io: CommandIo },
): RehearsalRequest {
  const passphrase = readPassphrase(text(given, 'passphrase'), io.environment);
  const keys = many(given, 'key').map((file) => spkiOf(readKeyFile(file, passphrase)));
  const cuts = required(given, 'cuts', 'cuts');
  return {
    format,
    image: readImageFile(image).bytes,
    keys,
    from: many(given, 'from').map((file) => ({ name: file, image: readImageFile(file).bytes, keys })),
    chip: text(given, 'chip')?.toLowerCase(),
    strategy: text(given, 'strategy'),
    slotSize: optionalNumber(given, 'slotSize', 'slot-size'),
    cuts: cuts === 'all' ? 'all' : numberOf(cuts, 'cuts'),
    seconds: positive(given, 'seconds'),
    seed: numberOf(required(given, 'seed', 'seed'), 'seed'),
  };
}

function positive(given: Given, name: string): number {
  const value = numberOf(required(given, name, name), name);
  if (value === 0) throw new HoldfastError('boot.bad_option', { option: name });
  return value;
}
