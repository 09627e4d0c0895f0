import { compareVersions, parseVersion } from '@holdfast/wire/mcuboot';
import type { ProductRecord } from '../ports/index.ts';

/** What a device must reach to keep full rights. */
export type Minimum = Pick<ProductRecord, 'minimumVersion' | 'minimumCounter'>;

export interface FirmwareLevel {
  readonly version: string;
  readonly counter: number;
}

/** Which limit a firmware misses; undefined when it reaches both. */
export function shortfallOf(minimum: Minimum, level: FirmwareLevel): 'counter' | 'version' | undefined {
  if (level.counter < minimum.minimumCounter) return 'counter';
  if (minimum.minimumVersion !== undefined && isOlder(level.version, minimum.minimumVersion)) return 'version';
  return undefined;
}

/** Whether the text is a version that others can be held against. */
export function isVersion(text: string): boolean {
  try {
    parseVersion(text);
    return true;
  } catch {
    return false;
  }
}

/** @throws `boot.bad_version` */
export function isOlder(version: string, than: string): boolean {
  return compareVersions(parseVersion(version), parseVersion(than)) < 0;
}
