import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PRODUCTS, type HoldfastWorld } from './holdfast-world.ts';
import { succeed } from './run-tool.ts';

const HOLDFAST = fileURLToPath(new URL('../../../scripts/holdfast.js', import.meta.url));

/**
 * Enrolls one device at a factory station, by the command line.
 *
 * @returns the folder with its files
 */
export async function stationDevice(world: HoldfastWorld, serial: string, options: readonly string[]): Promise<string> {
  const out = world.scratch('factory');
  const where = [
    '--data',
    path.join(world.folder, 'data'),
    '--product',
    PRODUCTS.believed,
    '--out',
    path.join(out, serial),
  ];
  await succeed(process.execPath, [HOLDFAST, 'identity', 'enroll', '--serial', serial, ...where, ...options]);
  return path.join(out, serial, serial);
}
