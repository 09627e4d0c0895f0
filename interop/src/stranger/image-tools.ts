import type { Report, Stranger } from '../stranger.ts';
import { runEspsecure } from './espsecure.ts';
import { runImgtool } from './imgtool.ts';
import { PythonDriver } from './python-driver.ts';

const IMGTOOL = ['imgtool.main:imgtool', 'imgtool'] as const;
const ESPSECURE = ['espsecure:main', 'esptool'] as const;

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

async function comparing(report: Report, compare: (report: Report) => Promise<boolean>): Promise<void> {
  if (!(await compare(report))) throw new Error('the tool is gone');
}

/** The version of a Python distribution that really loads. */
export async function versionOf(tool: readonly [string, string]): Promise<string | undefined> {
  const driver = new PythonDriver(tool);
  try {
    return await driver.version();
  } finally {
    driver.close();
  }
}
