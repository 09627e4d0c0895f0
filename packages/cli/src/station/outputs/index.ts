import { cHeaderFiles } from './c-header.ts';
import { espSecureCertFiles, nvsFiles } from './esp32.ts';
import { labelFiles } from './label.ts';
import type { OutputFile, StationDevice } from './output.ts';
import { pemFiles } from './pem.ts';
import { pkcs12Files } from './pkcs12.ts';

/** Where the key of a device is made: here, in the device before it gets its certificate here, or in the field. */
export const KEY_PLACES = ['station', 'csr', 'field'] as const;
export type KeyPlace = (typeof KEY_PLACES)[number];

interface Format {
  readonly make: (device: StationDevice) => readonly OutputFile[] | Promise<readonly OutputFile[]>;
  readonly places: readonly KeyPlace[];
}

export const FORMATS = {
  pem: { make: pemFiles, places: KEY_PLACES },
  pkcs12: { make: pkcs12Files, places: ['station'] },
  nvs: { make: nvsFiles, places: ['station', 'csr'] },
  'esp-secure-cert': { make: espSecureCertFiles, places: ['station', 'csr'] },
  'c-header': { make: cHeaderFiles, places: ['station', 'csr'] },
  label: { make: labelFiles, places: KEY_PLACES },
} as const satisfies Readonly<Record<string, Format>>;

export type FormatName = keyof typeof FORMATS;

export const FORMAT_NAMES = Object.keys(FORMATS) as readonly FormatName[];

/** All files of a device, those of each format in turn. */
export async function outputFiles(
  device: StationDevice,
  formats: readonly FormatName[],
): Promise<readonly OutputFile[]> {
  const made: OutputFile[] = [];
  for (const name of formats) made.push(...(await FORMATS[name].make(device)));
  return made;
}

export type { OutputFile, StationCertificate, StationDevice } from './output.ts';
