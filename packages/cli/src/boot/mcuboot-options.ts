import type { McubootSignOptions, McubootSlot } from '@holdfast/crypto';
import { decodeHex, encodeUtf8, HoldfastError, systemRandom } from '@holdfast/kernel';
import {
  type ErasedValue,
  type McubootDependency,
  type McubootHash,
  type McubootTlv,
  parseVersion,
  type TrailerAlign,
} from '@holdfast/wire/mcuboot';
import { readBytes } from './files.ts';
import { readEncryptionKeyFile } from './key-files.ts';
import { choice, type Given, many, numberOf, optionalNumber, required, text } from './option-values.ts';

/** One command-line option of a format: commander's flags and words. */
export interface FormatOption {
  readonly flags: string;
  readonly words: string;
  readonly repeats?: true;
}

export const MCUBOOT_OPTIONS: readonly FormatOption[] = [
  { flags: '--version <version>', words: 'major.minor.revision+build' },
  { flags: '--header-size <bytes>', words: 'bytes before the code, a multiple of 32' },
  { flags: '--pad-header', words: 'put the header before the payload' },
  { flags: '--slot-size <bytes>', words: 'size of the slot; the image and its trailer must fit' },
  { flags: '--align <bytes>', words: 'write size of the flash: 1, 2, 4, 8, 16 or 32' },
  { flags: '--max-align <bytes>', words: 'spacing of the trailer: 8, 16 or 32' },
  { flags: '--max-sectors <count>', words: 'sectors of a slot (128)' },
  { flags: '--overwrite-only', words: 'the boot code overwrites instead of swapping' },
  { flags: '--pad', words: 'fill the slot and write the trailer' },
  { flags: '--confirm', words: 'mark the image as confirmed; implies --pad' },
  { flags: '--erased-val <value>', words: 'what erased flash reads as: 0 or 0xff' },
  { flags: '--security-counter <value>', words: 'a number, or auto: from the version' },
  { flags: '--dependencies <list>', words: '"(1,1.2.0),(2,3.0.0)": images this one needs, and their least versions' },
  { flags: '--boot-record <type>', words: 'software type for the attestation of the boot code, at most 12 characters' },
  { flags: '--vid <vendor>', words: 'vendor: a domain name or a UUID' },
  { flags: '--cid <class>', words: 'class of the device: a name or a UUID' },
  {
    flags: '--custom-tlv <type=value>',
    words: 'signed entry of the vendor, 0xTYPE=0xHEX or 0xTYPE=text',
    repeats: true,
  },
  {
    flags: '--vendor-type <type>',
    words: 'allow this entry type outside the vendor range (PSoC 64: 0x81)',
    repeats: true,
  },
  { flags: '--load-addr <address>', words: 'RAM address the image is copied to' },
  { flags: '--rom-fixed <address>', words: 'flash address the image is linked for' },
  { flags: '--non-bootable', words: 'mark the image as not bootable' },
  { flags: '--public-key-format <form>', words: 'hash (default) or full' },
  { flags: '--pure', words: 'Ed25519 over the image instead of over its digest' },
  { flags: '--sha <bits>', words: 'hash of the image, where the key leaves a choice: 256, 384 or 512' },
  { flags: '--encrypt <key>', words: 'encrypt the payload for this public key or AES wrapping key' },
  { flags: '--encrypt-keylen <bits>', words: 'AES key of the payload: 128 (default) or 256' },
  { flags: '--hmac-sha <bits>', words: 'hash of the X25519 key exchange: 256 (default) or 512' },
  { flags: '--save-enctlv', words: 'the boot code keeps the encrypted key in the trailer' },
  { flags: '--clear', words: 'carry the encrypted key but leave the payload in clear' },
];

/**
 * The signing options these command-line options stand for.
 *
 * @throws `boot.bad_option`, `boot.bad_version`, `boot.bad_key_file`, `cli.file_unusable`
 */
export function mcubootOptions(given: Given): McubootSignOptions {
  const slot = slotOf(given);
  const counter = text(given, 'securityCounter');
  return {
    version: parseVersion(required(given, 'version', 'version')),
    headerSize: numberOf(required(given, 'headerSize', 'header-size'), 'header-size'),
    padHeader: given['padHeader'] === true,
    pure: given['pure'] === true,
    nonBootable: given['nonBootable'] === true,
    erasedValue: erasedValue(given),
    dependencies: dependenciesOf(text(given, 'dependencies')),
    custom: many(given, 'customTlv').map(customTlv),
    vendorTypes: vendorTypesOf(given),
    publicKeyForm: choice(text(given, 'publicKeyFormat') ?? 'hash', ['hash', 'full'], 'public-key-format'),
    ...defined({
      slot,
      securityCounter: counter === undefined || counter === 'auto' ? counter : numberOf(counter, 'security-counter'),
      bootRecord: text(given, 'bootRecord'),
      vendorId: text(given, 'vid'),
      classId: text(given, 'cid'),
      loadAddress: optionalNumber(given, 'loadAddr', 'load-addr'),
      romFixed: optionalNumber(given, 'romFixed', 'rom-fixed'),
      hash: hashOf(text(given, 'sha')),
      encryption: encryptionOf(given),
    }),
  };
}

/** Entry types allowed outside the vendor range. */
export function vendorTypesOf(given: Given): readonly number[] {
  return many(given, 'vendorType').map((type) => numberOf(type, 'vendor-type'));
}

/** What erased flash reads as. */
export function erasedValue(given: Given): ErasedValue {
  return choice(text(given, 'erasedVal') ?? '0xff', ['0', '0xff'], 'erased-val') === '0' ? 0x00 : 0xff;
}

function slotOf(given: Given): McubootSlot | undefined {
  const size = optionalNumber(given, 'slotSize', 'slot-size');
  const pad = given['pad'] === true || given['confirm'] === true;
  if (size === undefined) {
    if (pad) throw new HoldfastError('boot.bad_option', { option: 'slot-size', reason: 'needed to pad' });
    return undefined;
  }
  const align = text(given, 'maxAlign');
  return {
    size,
    writeSize: Number(choice(text(given, 'align') ?? '1', ['1', '2', '4', '8', '16', '32'], 'align')),
    overwriteOnly: given['overwriteOnly'] === true,
    pad,
    confirm: given['confirm'] === true,
    saveEncryptionTlv: given['saveEnctlv'] === true,
    ...defined({
      align: align === undefined ? undefined : (Number(choice(align, ['8', '16', '32'], 'max-align')) as TrailerAlign),
      maxSectors: optionalNumber(given, 'maxSectors', 'max-sectors'),
    }),
  };
}

function encryptionOf(given: Given): McubootSignOptions['encryption'] {
  const file = text(given, 'encrypt');
  if (file === undefined) return undefined;
  const bits = choice(text(given, 'encryptKeylen') ?? '128', ['128', '256'], 'encrypt-keylen') === '128' ? 128 : 256;
  const sha512 = choice(text(given, 'hmacSha') ?? '256', ['256', '512'], 'hmac-sha') === '512';
  return { recipient: readEncryptionKeyFile(file), bits, random: systemRandom, sha512, clear: given['clear'] === true };
}

function hashOf(bits: string | undefined): McubootHash | undefined {
  if (bits === undefined) return undefined;
  return `sha${choice(bits, ['256', '384', '512'], 'sha')}`;
}

const DEPENDENCY = /^\(\s*([0-9]{1,3})\s*,\s*([0-9.+]+)\s*\)$/;

function dependenciesOf(list: string | undefined): McubootDependency[] {
  if (list === undefined) return [];
  return list
    .split(/(?<=\))\s*,\s*/)
    .map((item) => DEPENDENCY.exec(item.trim()))
    .map((match) => {
      const [, imageId, version] = match ?? [];
      if (imageId === undefined || version === undefined)
        throw new HoldfastError('boot.bad_option', { option: 'dependencies' });
      return { imageId: Number(imageId), version: parseVersion(version) };
    });
}

function customTlv(argument: string): McubootTlv {
  const at = argument.indexOf('=');
  if (at < 0) throw new HoldfastError('boot.bad_option', { option: 'custom-tlv' });
  const type = numberOf(argument.slice(0, at), 'custom-tlv');
  const value = argument.slice(at + 1);
  if (value.startsWith('@')) return { type, value: readBytes(value.slice(1)) };
  return { type, value: value.startsWith('0x') ? decodeHex(value.slice(2), 'custom-tlv') : encodeUtf8(value) };
}

type Defined<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Without the entries that are undefined, as exact optional properties need. */
function defined<T extends object>(entries: T): Defined<T> {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as Defined<T>;
}
