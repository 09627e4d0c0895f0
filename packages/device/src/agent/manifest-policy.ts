import { encodeHex, type ErrorCode } from '@holdfast/kernel';
import type { ReleaseManifest } from '@holdfast/wire/manifest';
import type { DeviceProfile } from './platform.ts';

/** The release a device keeps. */
export interface InstalledRelease {
  /** 0 for what the factory installed. */
  readonly sequence: number;
  readonly version: string;
  /** SHA-256 of the whole signed file, lower-case hex. */
  readonly imageSha256: string;
}

/** What a device knows when it judges a manifest. */
export interface ManifestFacts {
  readonly profile: DeviceProfile;
  readonly installed: InstalledRelease | undefined;
  /** Version of the application that runs; undefined in safe mode. */
  readonly running: string | undefined;
  /** Counter in the fuses. */
  readonly securityCounter: number;
  /** The highest the fuses can hold. */
  readonly maxSecurityCounter: number;
  /** Largest image, in bytes. */
  readonly capacity: number;
  /** The server's time, milliseconds since the Unix epoch; undefined while the device has not been told. */
  readonly now: number | undefined;
}

interface ManifestRule {
  readonly code: ErrorCode;
  readonly attack: string;
  readonly broken: (manifest: ReleaseManifest, facts: ManifestFacts) => boolean;
}

const isSameImage = (manifest: ReleaseManifest, installed: InstalledRelease): boolean =>
  encodeHex(manifest.imageSha256) === installed.imageSha256;

/** The first row that a manifest breaks is the answer. */
export const MANIFEST_RULES: readonly ManifestRule[] = [
  {
    code: 'device.wrong_product',
    attack: 'a rightly signed release of something else (mix and match)',
    broken: (manifest, { profile }) =>
      manifest.tenant !== profile.tenant ||
      manifest.product !== profile.product ||
      manifest.hardwareRevision !== profile.hardwareRevision,
  },
  {
    code: 'device.manifest_expired',
    attack: 'an old release served for ever (freeze)',
    broken: ({ expires }, { now }) => expires !== undefined && now !== undefined && now >= expires,
  },
  {
    code: 'device.counter_too_low',
    attack: 'a downgrade to a release with a known hole',
    broken: (manifest, { securityCounter }) => manifest.securityCounter < securityCounter,
  },
  {
    code: 'device.counter_too_high',
    attack: 'a counter that burns the fuses up',
    broken: (manifest, { maxSecurityCounter }) => manifest.securityCounter > maxSecurityCounter,
  },
  {
    code: 'device.older_release',
    attack: 'a replayed manifest',
    broken: ({ sequence }, { installed }) => installed !== undefined && sequence < installed.sequence,
  },
  {
    code: 'device.release_conflict',
    attack: 'other content under a sequence or a version the device knows',
    broken: (manifest, { installed }) =>
      installed !== undefined &&
      !isSameImage(manifest, installed) &&
      (manifest.sequence === installed.sequence || manifest.version === installed.version),
  },
  {
    code: 'device.image_too_large',
    attack: 'an image that runs over its slot',
    broken: ({ length }, { capacity }) => length > capacity,
  },
];

/** `install`, `installed` when the device runs it already, or the code of what is wrong. */
export function judgeManifest(manifest: ReleaseManifest, facts: ManifestFacts): 'install' | 'installed' | ErrorCode {
  const broken = MANIFEST_RULES.find((rule) => rule.broken(manifest, facts));
  if (broken !== undefined) return broken.code;
  const { installed, running } = facts;
  // A device that fell back, or is in safe mode, may be sent what it once had.
  const runs = installed !== undefined && isSameImage(manifest, installed) && running === manifest.version;
  return runs ? 'installed' : 'install';
}
