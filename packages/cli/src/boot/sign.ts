import type { KeyObject } from 'node:crypto';
import { createSigner, PrivateKey, signP192 } from '@holdfast/crypto';
import { decodeBase64, HoldfastError } from '@holdfast/kernel';
import {
  type AcceptedImage,
  finishImage,
  type ImageFormatName,
  type PreparedImage,
  prepareImage,
} from '@holdfast/trust/boot';
import { decodeMcubootImage, trailerLayout } from '@holdfast/wire/mcuboot';
import { encodeIntelHex, type HexSegment } from '@holdfast/wire/intel-hex';
import { type InputFile, isHexName, readBytes, readImageFile, writeWhole } from './files.ts';
import { commandLineOf } from './format-options.ts';
import { readKeyFile, spkiOf } from './key-files.ts';
import { erasedValue, vendorTypesOf } from './mcuboot-options.ts';
import { type Given, numberOf, required, text } from './option-values.ts';

/** What `boot sign` did. */
export type SignOutcome =
  | { readonly kind: 'signed'; readonly file: string; readonly proof: AcceptedImage }
  | { readonly kind: 'to-be-signed'; readonly file: string; readonly algorithm: string; readonly size: number };

/** Where `boot sign` reads and writes. */
export interface SignPaths {
  readonly input: string;
  readonly output: string | undefined;
}

/**
 * Signs an image file; or writes what an offline key must sign; or puts such a signature in.
 *
 * No output is written unless our own verifier accepts it.
 *
 * @throws the errors of the files, the keys, the options and {@link prepareImage}
 */
export async function signFile(
  format: ImageFormatName,
  paths: SignPaths,
  given: Given,
  passphrase?: string,
): Promise<SignOutcome> {
  const key = readKeyFile(required(given, 'key', 'key'), passphrase);
  const input = readImageFile(paths.input, erasedValue(given));
  const options = commandLineOf(format).readSignOptions(given);
  const allowTestKeys = given['developmentTestKeys'] === true;
  const prepared = prepareImage(format, input.bytes, options, { publicKeySpki: spkiOf(key), allowTestKeys });

  const toBeSigned = text(given, 'toBeSigned');
  if (toBeSigned !== undefined) {
    const { message, algorithm } = prepared.request;
    writeWhole(toBeSigned, message);
    return { kind: 'to-be-signed', file: toBeSigned, algorithm, size: message.length };
  }
  if (paths.output === undefined) throw new HoldfastError('boot.bad_option', { option: 'OUT', reason: 'missing' });
  const { bytes, proof } = finishImage(prepared, await signatureFor(prepared, key, given));
  writeWhole(paths.output, isHexName(paths.output) ? toHex(format, bytes, { input, given }) : bytes);
  return { kind: 'signed', file: paths.output, proof };
}

async function signatureFor({ request }: PreparedImage, key: KeyObject, given: Given): Promise<Uint8Array> {
  const file = text(given, 'signature');
  if (file !== undefined) return readSignature(file);
  if (key.type !== 'private') throw new HoldfastError('boot.private_key_needed');
  if (request.algorithm === 'ecdsa-p192-sha256') return signP192(request.message, key);
  return await createSigner(new PrivateKey(key), request.algorithm).sign(request.message);
}

const BASE64_TEXT = /^[A-Za-z0-9+/]{44,}={0,2}\s*$/;

/** A signature as its bytes, or as base64 text as imgtool exchanges it. */
function readSignature(file: string): Uint8Array {
  const bytes = readBytes(file);
  const content = new TextDecoder('latin1').decode(bytes);
  return BASE64_TEXT.test(content) ? decodeBase64(content.trim(), 'signature') : bytes;
}

interface HexSource {
  readonly input: InputFile;
  readonly given: Given;
}

/** Image and trailer as Intel HEX, without the erased bytes between them. */
function toHex(format: ImageFormatName, bytes: Uint8Array, { input, given }: HexSource): string {
  const base = baseAddress(input, given);
  if (format !== 'mcuboot') return encodeIntelHex([{ address: base, bytes }]);
  const { bytes: image, trailer } = decodeMcubootImage(bytes, { vendorTypes: vendorTypesOf(given) });
  const segments: HexSegment[] = [{ address: base, bytes: image }];
  if (trailer !== undefined) {
    const from = bytes.length - trailerLayout(trailer.align).imageOk;
    segments.push({ address: base + from, bytes: bytes.subarray(from) });
  }
  return encodeIntelHex(segments);
}

/** Where the output begins: as told, or where the input's code lies less the header put before it. */
function baseAddress(input: InputFile, given: Given): number {
  const told = text(given, 'hexAddr');
  if (told !== undefined) return numberOf(told, 'hex-addr');
  if (input.address === undefined)
    throw new HoldfastError('boot.bad_option', { option: 'hex-addr', reason: 'missing' });
  if (given['padHeader'] !== true) return input.address;
  return input.address - numberOf(required(given, 'headerSize', 'header-size'), 'header-size');
}
