import { decodeHex } from '@holdfast/kernel';
import { counterOf, type FormatCommandLine } from './format-command-line.ts';
import { readCertificateFile, readCertificateOrKeyFile } from './certificate-files.ts';
import { choice, many, optionalNumber, text } from './option-values.ts';

export const NXP_COMMAND_LINE: FormatCommandLine<'nxp-lpc55'> = {
  signOptions: [
    { flags: '--certificate <file>', words: 'certificates up to the signer’s, its own last or alone', repeats: true },
    {
      flags: '--root-key <file>',
      words: 'nxp-lpc55: root keys or their certificates, in the order of slots',
      repeats: true,
    },
    { flags: '--load-address <address>', words: 'where the image is loaded' },
    { flags: '--trust-zone <state>', words: 'nxp-lpc55: enabled, disabled (disabled)' },
    { flags: '--build-number <number>', words: 'nxp-lpc55: build number in the certificate block' },
  ],
  readSignOptions(given) {
    const loadAddress = optionalNumber(given, 'loadAddress', 'load-address');
    const buildNumber = optionalNumber(given, 'buildNumber', 'build-number');
    const trustZone = text(given, 'trustZone');
    return {
      certificates: many(given, 'certificate').map(readCertificateFile),
      rootKeys: many(given, 'rootKey').map(readCertificateOrKeyFile),
      ...(loadAddress === undefined ? {} : { loadAddress }),
      ...(buildNumber === undefined ? {} : { buildNumber }),
      ...(trustZone === undefined ? {} : { trustZone: choice(trustZone, ['enabled', 'disabled'], 'trust-zone') }),
    };
  },
  verifyOptions: [{ flags: '--rkth <hex>', words: 'nxp-lpc55: hash of the table of root keys, as the fuses hold it' }],
  readPolicy(given) {
    const hash = text(given, 'rkth');
    return { ...(hash === undefined ? {} : { rootKeyTableHash: decodeHex(hash, 'rkth') }), ...counterOf(given) };
  },
};
