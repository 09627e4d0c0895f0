import { psoc64OptionsOf, type Psoc64SignOptions } from '@holdfast/crypto';
import { decodePsoc64Policy } from '@holdfast/wire/psoc64';
import { readBytes } from './files.ts';
import { counterOf, type FormatCommandLine } from './format-command-line.ts';
import { choice, type Given, numberOf, optionalNumber, required, text } from './option-values.ts';

const KINDS = ['boot', 'upgrade'] as const;

export const PSOC64_COMMAND_LINE: FormatCommandLine<'psoc64'> = {
  signOptions: [
    { flags: '--policy <file>', words: 'psoc64: device policy that says versions, counters and slots' },
    { flags: '--image-id <number>', words: 'psoc64: 1 (default) for the first core or both, 16 for the second' },
    { flags: '--image-type <type>', words: `psoc64: ${KINDS.join(' (default), ')}` },
    { flags: '--external', words: 'psoc64: updates wait in external memory' },
  ],
  readSignOptions(given) {
    const imageId = optionalNumber(given, 'imageId', 'image-id') ?? 1;
    const kind = choice(text(given, 'imageType') ?? 'boot', KINDS, 'image-type');
    const policy = text(given, 'policy');
    return policy === undefined
      ? explicitOptions(given, imageId, kind)
      : psoc64OptionsOf(decodePsoc64Policy(readBytes(policy)), imageId, kind);
  },
  verifyOptions: [{ flags: '--image-id <number>', words: 'psoc64: slot the image must be for' }],
  readPolicy(given) {
    const imageId = optionalNumber(given, 'imageId', 'image-id');
    return { ...(imageId === undefined ? {} : { imageId }), ...counterOf(given) };
  },
};

function explicitOptions(given: Given, imageId: number, kind: 'boot' | 'upgrade'): Psoc64SignOptions {
  return {
    imageId,
    kind,
    version: required(given, 'version', 'version'),
    rollbackCounter: numberOf(required(given, 'securityCounter', 'security-counter'), 'security-counter'),
    slotSize: numberOf(required(given, 'slotSize', 'slot-size'), 'slot-size'),
    external: given['external'] === true,
  };
}
