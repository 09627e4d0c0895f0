import { type ByteReader, type ByteWriter, HoldfastError } from '@holdfast/kernel';

/** A version as the header holds it: u8, u8, u16, u32. */
export interface McubootVersion {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
  readonly build: number;
}

const NUMBER = '(0|[1-9][0-9]{0,9})';
const VERSION = new RegExp(`^${NUMBER}(?:\\.${NUMBER}(?:\\.${NUMBER}(?:\\+${NUMBER})?)?)?$`);

/**
 * Reads `major[.minor[.revision[+build]]]`.
 *
 * @throws `boot.bad_version` for another form or a part above what its field holds.
 * @see imgtool version.py
 */
export function parseVersion(text: string): McubootVersion {
  const parts = VERSION.exec(text)
    ?.slice(1)
    .map((part: string | undefined) => Number(part ?? 0));
  const [major = 0, minor = 0, revision = 0, build = 0] = parts ?? [];
  const version = { major, minor, revision, build };
  if (parts === undefined || !isVersion(version)) throw new HoldfastError('boot.bad_version');
  return version;
}

export function formatVersion({ major, minor, revision, build }: McubootVersion): string {
  return `${major}.${minor}.${revision}${build === 0 ? '' : `+${build}`}`;
}

/** Negative when `a` is the older one; the build counts last. */
export function compareVersions(a: McubootVersion, b: McubootVersion): number {
  return a.major - b.major || a.minor - b.minor || a.revision - b.revision || a.build - b.build;
}

/** The security counter imgtool derives from a version with `-s auto`. */
export function counterOfVersion({ major, minor, revision }: McubootVersion): number {
  return major * 0x1000000 + minor * 0x10000 + revision;
}

export function readVersion(reader: ByteReader, field: string): McubootVersion {
  return {
    major: reader.u8(field),
    minor: reader.u8(field),
    revision: reader.u16le(field),
    build: reader.u32le(field),
  };
}

/** @throws `boot.bad_version` when a part does not fit its field. */
export function writeVersion(writer: ByteWriter, version: McubootVersion): void {
  if (!isVersion(version)) throw new HoldfastError('boot.bad_version');
  writer.u8(version.major).u8(version.minor).u16le(version.revision).u32le(version.build);
}

function isVersion({ major, minor, revision, build }: McubootVersion): boolean {
  return fits(major, 0xff) && fits(minor, 0xff) && fits(revision, 0xffff) && fits(build, 0xffffffff);
}

function fits(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= limit;
}
