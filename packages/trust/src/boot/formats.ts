import type {
  EspPolicy,
  EspSignOptions,
  McubootPolicy,
  McubootSignOptions,
  Nrf5Policy,
  Nrf5SignOptions,
  NsibPolicy,
  NsibSignOptions,
  NxpPolicy,
  NxpSignOptions,
  Psoc64ImagePolicy,
  Psoc64SignOptions,
  RaucPolicy,
  RaucSignOptions,
  SwuPolicy,
  SwuSignOptions,
} from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { esp32V1Format, esp32V2Format } from './esp32-formats.ts';
import type { ImageFormat, ImagePolicy } from './image-format.ts';
import { mcubootFormat } from './mcuboot-format.ts';
import { nrf5DfuFormat, nsibFormat } from './nordic-formats.ts';
import { nxpLpc55Format } from './nxp-format.ts';
import { psoc64Format } from './psoc64-format.ts';
import { raucFormat } from './rauc-format.ts';
import { swupdateFormat } from './swupdate-format.ts';

/** What each format's signer is told beside payload and key, and what its verifier can be told to demand. */
interface FormatTypes {
  readonly mcuboot: { readonly options: McubootSignOptions; readonly policy: McubootPolicy };
  readonly 'esp32-v2': { readonly options: EspSignOptions; readonly policy: EspPolicy };
  readonly 'esp32-v1': { readonly options: object; readonly policy: ImagePolicy };
  readonly 'nrf5-dfu': { readonly options: Nrf5SignOptions; readonly policy: Nrf5Policy };
  readonly nsib: { readonly options: NsibSignOptions; readonly policy: NsibPolicy };
  readonly 'nxp-lpc55': { readonly options: NxpSignOptions; readonly policy: NxpPolicy };
  readonly psoc64: { readonly options: Psoc64SignOptions; readonly policy: Psoc64ImagePolicy };
  readonly rauc: { readonly options: RaucSignOptions; readonly policy: RaucPolicy };
  readonly swupdate: { readonly options: SwuSignOptions; readonly policy: SwuPolicy };
}

export type ImageFormatName = keyof FormatTypes;
export type SignOptionsOf<Name extends ImageFormatName> = FormatTypes[Name]['options'];
export type PolicyOf<Name extends ImageFormatName> = FormatTypes[Name]['policy'];

type FormatTable = { readonly [Name in ImageFormatName]: ImageFormat<SignOptionsOf<Name>, PolicyOf<Name>> };

/** Every image format that is signed and verified here; a new chip family is a row. */
export const IMAGE_FORMATS: FormatTable = {
  mcuboot: mcubootFormat,
  'esp32-v2': esp32V2Format,
  'esp32-v1': esp32V1Format,
  'nrf5-dfu': nrf5DfuFormat,
  nsib: nsibFormat,
  'nxp-lpc55': nxpLpc55Format,
  psoc64: psoc64Format,
  rauc: raucFormat,
  swupdate: swupdateFormat,
};

export const IMAGE_FORMAT_NAMES: readonly ImageFormatName[] = [
  'mcuboot',
  'esp32-v2',
  'esp32-v1',
  'nrf5-dfu',
  'nsib',
  'nxp-lpc55',
  'psoc64',
  'rauc',
  'swupdate',
];

/** @throws `boot.unknown_format` */
export function parseFormatName(text: string): ImageFormatName {
  const name = IMAGE_FORMAT_NAMES.find((known) => known === text);
  if (name === undefined) throw new HoldfastError('boot.unknown_format', { known: IMAGE_FORMAT_NAMES.join(' ') });
  return name;
}

/** The format whose images begin like these bytes, or undefined. */
export function detectFormat(bytes: Uint8Array): ImageFormatName | undefined {
  return IMAGE_FORMAT_NAMES.find((name) => IMAGE_FORMATS[name].detect(bytes));
}
