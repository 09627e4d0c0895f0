import type { Report, Stranger } from '../stranger.ts';
import { runEspefuse } from './espefuse.ts';
import { runEspsecure } from './espsecure.ts';
import { runImgtool } from './imgtool.ts';
import { NRFUTIL, runNrfutil } from './nordic.ts';
import { NXPIMAGE, runNxpimage } from './nxp.ts';
import { PFR, runPfr } from './nxp-key-set.ts';
import { CYSECURETOOLS, runCysecuretools } from './psoc64.ts';
import { PythonDriver, type PythonTool } from './python-driver.ts';

const IMGTOOL = ['imgtool.main:imgtool', 'imgtool'] as const;
const ESPSECURE = ['espsecure:main', 'esptool'] as const;
const ESPEFUSE = ['espefuse:main', 'esptool'] as const;

export const imgtool: Stranger = {
  name: 'imgtool',
  source: 'PyPI',
  deed: 'verifies what we sign and signs what we verify: MCUboot images with drawn keys, sizes and options',
  install: 'pip install imgtool',
  version: () => versionOf(IMGTOOL),
  meet: (_world, report) => comparing(report, runImgtool),
};

export const espsecure: Stranger = {
  name: 'espsecure',
  source: 'PyPI',
  deed: 'verifies, signs and encrypts as we do: ESP32 secure boot and flash encryption with drawn keys and sizes',
  install: 'pip install esptool',
  version: () => versionOf(ESPSECURE),
  meet: (_world, report) => comparing(report, runEspsecure),
};

export const espefuse: Stranger = {
  name: 'espefuse',
  source: 'PyPI',
  deed: 'burns the digests and the revocation of an exported key set into the eFuses of chips it emulates',
  install: 'pip install esptool',
  version: () => versionOf(ESPEFUSE),
  meet: (_world, report) => comparing(report, runEspefuse),
};

export const nrfutil: Stranger = {
  name: 'nrfutil',
  source: 'PyPI',
  deed: 'verifies the nRF5 DFU packages we sign and signs packages we verify, of drawn kinds and sizes',
  install: 'pip install --no-deps --ignore-requires-python -r interop/python/nordic.txt in an environment of its own',
  version: () => versionOf(NRFUTIL),
  meet: (_world, report) => comparing(report, runNrfutil),
};

export const nxpimage: Stranger = {
  name: 'nxpimage',
  source: 'PyPI',
  deed: 'signs for the LPC55S69 what we verify, and the same bytes as we do, with drawn chains and root key tables',
  install: 'pip install --no-deps -r interop/python/nxp.txt in an environment of its own',
  version: () => versionOf(NXPIMAGE),
  meet: (_world, report) => comparing(report, runNxpimage),
};

export const pfr: Stranger = {
  name: 'pfr',
  source: 'PyPI',
  deed: 'reads the customer page of an exported LPC55S69 key set, and names its root keys by the same hash',
  install: 'pip install --no-deps -r interop/python/nxp.txt in an environment of its own',
  version: () => versionOf(PFR),
  meet: (_world, report) => comparing(report, runPfr),
};

export const cysecuretools: Stranger = {
  name: 'cysecuretools',
  source: 'PyPI',
  deed: 'verifies the PSoC 64 images we sign, of drawn slots and sizes',
  install: 'pip install --no-deps -r interop/python/psoc64.txt in an environment of its own',
  version: () => versionOf(CYSECURETOOLS),
  meet: (_world, report) => comparing(report, runCysecuretools),
};

async function comparing(report: Report, compare: (report: Report) => Promise<boolean>): Promise<void> {
  if (!(await compare(report))) throw new Error('the tool is gone');
}

/** The version of a Python distribution that really loads. */
export async function versionOf(tool: PythonTool): Promise<string | undefined> {
  const driver = new PythonDriver(tool);
  try {
    return await driver.version();
  } finally {
    driver.close();
  }
}
