import type { RaucPolicy } from '@holdfast/crypto';
import { HoldfastError, systemClock } from '@holdfast/kernel';
import { decodeCertificate } from '@holdfast/wire/x509';
import { certificateIn, readCertificateFile } from './certificate-files.ts';
import { readBytes } from './files.ts';
import { counterOf, type FormatCommandLine } from './format-command-line.ts';
import { choice, type Given, many, text } from './option-values.ts';

const CERTIFICATE = {
  flags: '--certificate <file>',
  words: 'certificates up to the signer’s, its own last or alone',
  repeats: true,
};
const SIGNING_TIME = {
  flags: '--signing-time <time>',
  words: 'rauc, swupdate: RFC 3339 time in the signature (now); needed for both steps of offline signing',
};

export const RAUC_COMMAND_LINE: FormatCommandLine<'rauc'> = {
  signOptions: [
    CERTIFICATE,
    SIGNING_TIME,
    {
      flags: '--manifest <file>',
      words: 'rauc: manifest.raucm for a squashfs input; a bundle is signed anew without it',
    },
  ],
  readSignOptions(given) {
    const manifest = text(given, 'manifest');
    return { ...signerOf(given), ...(manifest === undefined ? {} : { manifest: readBytes(manifest) }) };
  },
  verifyOptions: [{ flags: '--compatible <name>', words: 'rauc: what the device says it is' }],
  readPolicy: (given) => ({ ...trustOf(given), ...compatibleOf(given), ...counterOf(given) }),
};

const FORMS = ['cms', 'rsa-pkcs1', 'rsa-pss'] as const;

export const SWUPDATE_COMMAND_LINE: FormatCommandLine<'swupdate'> = {
  signOptions: [
    CERTIFICATE,
    SIGNING_TIME,
    {
      flags: '--signature-form <form>',
      words: `swupdate: ${FORMS.join(', ')}, as the build on the device reads it (cms)`,
    },
  ],
  readSignOptions(given) {
    const form = choice(text(given, 'signatureForm') ?? 'cms', FORMS, 'signature-form');
    return form === 'cms' ? { form, ...signerOf(given) } : { form };
  },
  verifyOptions: [{ flags: '--hardware <revision>', words: 'swupdate: hardware revision of the device' }],
  readPolicy(given) {
    const hardware = text(given, 'hardware');
    return { ...trustOf(given), ...(hardware === undefined ? {} : { hardware }), ...counterOf(given) };
  },
};

/** The command line names certificates in the order of trust; CMS puts the signer's first. */
function signerOf(given: Given): { certificates: readonly Uint8Array[]; signingTime: number } {
  const certificates = many(given, 'certificate').map(readCertificateFile).toReversed();
  return { certificates, signingTime: signingTime(given) };
}

const OFFLINE = ['toBeSigned', 'signature'];

/** Both steps of offline signing must name one time, since it is in what is signed. */
function signingTime(given: Given): number {
  const told = text(given, 'signingTime');
  if (told === undefined) {
    if (OFFLINE.some((name) => given[name] !== undefined))
      throw new HoldfastError('boot.bad_option', { option: 'signing-time', reason: 'missing' });
    return systemClock.now();
  }
  const time = Date.parse(told);
  if (Number.isNaN(time)) throw new HoldfastError('boot.bad_option', { option: 'signing-time' });
  return time;
}

/** A certificate given as trusted key is an authority; the time is now, as on a device. */
function trustOf(given: Given): Pick<RaucPolicy, 'anchors' | 'now'> {
  const anchors = many(given, 'key').flatMap((file) => {
    const der = certificateIn(file);
    return der === undefined ? [] : [decodeCertificate(der)];
  });
  return { anchors, now: systemClock.now() };
}

function compatibleOf(given: Given): { readonly compatible?: string } {
  const compatible = text(given, 'compatible');
  return compatible === undefined ? {} : { compatible };
}
