import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

/** The version of an installed npm package; undefined when it is not there. */
export function npmVersion(name: string): string | undefined {
  try {
    const file = findPackageJSON(name, import.meta.url);
    if (file === undefined) return undefined;
    return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
  } catch {
    return undefined;
  }
}
