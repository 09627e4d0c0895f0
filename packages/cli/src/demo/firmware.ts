import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { HoldfastError } from '@holdfast/kernel';

/** Two published versions of @pybricks/firmware (MIT), side by side by alias. */
const PACKAGES = { older: 'pybricks-firmware-older', newer: 'pybricks-firmware-newer' } as const;

/** The STM32F413 of the SPIKE Prime hub. */
const ARCHIVE = 'build/primehub.zip';
const IMAGE = 'firmware-base.bin';

export interface Firmware {
  /** The package's version, which is also that of the release. */
  readonly version: string;
  readonly bytes: Uint8Array;
}

interface ZipReader {
  loadAsync(bytes: Uint8Array): Promise<{
    file(name: string): { async(kind: 'uint8array'): Promise<Uint8Array> } | null;
  }>;
}

/** The real firmware of the demo. @throws `cli.demo_firmware_missing` */
export async function loadFirmware(
  packages: { readonly older: string; readonly newer: string } = PACKAGES,
): Promise<{ readonly older: Firmware; readonly newer: Firmware }> {
  const [older, newer] = await Promise.all([loadPackage(packages.older), loadPackage(packages.newer)]);
  return { older, newer };
}

async function loadPackage(name: string): Promise<Firmware> {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string };
    // The package's own dependency: whoever has the firmware has its reader.
    const zip = createRequire(manifest)('jszip') as ZipReader;
    const archive = await zip.loadAsync(readFileSync(path.join(path.dirname(manifest), ARCHIVE)));
    const bytes = await archive.file(IMAGE)?.async('uint8array');
    if (bytes === undefined) throw new HoldfastError('cli.demo_firmware_missing', { package: name, file: IMAGE });
    return { version, bytes };
  } catch (cause) {
    if (HoldfastError.is(cause)) throw cause;
    throw new HoldfastError('cli.demo_firmware_missing', { package: name }, { cause });
  }
}
