import { decryptFlash, decryptNvs, encryptFlash, encryptNvs, type FlashEncryption } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { readBytes, readImageFile, writeWhole } from './files.ts';
import { choice, type Given, numberOf, required, text } from './option-values.ts';
import { type SignOutcome, type SignPaths, signFile } from './sign.ts';

/** What `boot encrypt` made. */
export type EncryptOutcome = SignOutcome | { readonly kind: 'encrypted'; readonly file: string; readonly size: number };

interface EncryptRequest {
  readonly paths: SignPaths & { readonly output: string };
  readonly given: Given;
  readonly passphrase: string | undefined;
}

type Encrypt = (request: EncryptRequest) => Promise<EncryptOutcome> | EncryptOutcome;

/** MCUboot's hash covers the plain payload, so that encrypting and signing are one act. */
const ENCRYPT: Readonly<Record<string, Encrypt>> = {
  mcuboot({ paths, given, passphrase }) {
    required(given, 'encrypt', 'encrypt');
    return signFile('mcuboot', paths, given, passphrase);
  },
  'esp32-flash'(request) {
    const { paths, given } = request;
    const config = text(given, 'flashCryptConf');
    const options: FlashEncryption = {
      scheme: choice(text(given, 'scheme') ?? 'xts', ['xts', 'esp32'], 'scheme'),
      key: readBytes(required(given, 'key', 'key')),
      address: numberOf(required(given, 'address', 'address'), 'address'),
      ...(config === undefined ? {} : { cryptConfig: numberOf(config, 'flash-crypt-conf') }),
    };
    const { bytes } = readImageFile(paths.input);
    return writeResult(
      request,
      given['decrypt'] === true ? decryptFlash(bytes, options) : encryptFlash(bytes, options),
    );
  },
  'esp32-nvs'(request) {
    const { paths, given } = request;
    const { bytes } = readImageFile(paths.input);
    const keys = readBytes(required(given, 'key', 'key'));
    return writeResult(request, given['decrypt'] === true ? decryptNvs(bytes, keys) : encryptNvs(bytes, keys));
  },
};

/** What was decrypted is a secret again, readable by its owner alone. */
function writeResult({ paths, given }: EncryptRequest, result: Uint8Array): EncryptOutcome {
  writeWhole(paths.output, result, { mode: given['decrypt'] === true ? 0o600 : 0o644 });
  return { kind: 'encrypted', file: paths.output, size: result.length };
}

export const ENCRYPT_FORMATS = Object.keys(ENCRYPT);

/** @throws `boot.unknown_format`, `boot.bad_option`, and what the format's encryption throws */
export async function encryptFile(format: string, request: EncryptRequest): Promise<EncryptOutcome> {
  const encrypt = Object.hasOwn(ENCRYPT, format) ? ENCRYPT[format] : undefined;
  if (encrypt === undefined) throw new HoldfastError('boot.unknown_format', { known: ENCRYPT_FORMATS.join(' ') });
  return await encrypt(request);
}
