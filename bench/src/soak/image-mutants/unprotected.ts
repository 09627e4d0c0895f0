import { concatBytes } from '../../../../packages/kernel/src/index.ts';
import type { ImageFormatName } from '../../../../packages/trust/src/boot/index.ts';
import { mcubootAnatomy, swuAnatomy, zipAnatomy } from './anatomy.ts';

/** Bytes or an order that a format leaves to anyone: another is accepted, and the same is installed. */
export interface UnprotectedPlace {
  readonly format: ImageFormatName;
  readonly where: string;
  readonly why: string;
}

/** Everything that may differ in an accepted mutant; docs/image-mutants.md shows this table. */
export const UNPROTECTED: readonly UnprotectedPlace[] = [
  {
    format: 'mcuboot',
    where: 'order of the unprotected entries, the key before its signature',
    why: 'boot code takes any order; a type that is there twice is refused',
  },
  {
    format: 'mcuboot',
    where: 'erased filling and trailer behind a padded image',
    why: 'state of the slot, which boot code writes itself; what is left out or added is judged as a trailer again',
  },
  {
    format: 'psoc64',
    where: 'order of the unprotected entries; filling and trailer',
    why: 'as MCUboot, whose image it is',
  },
  {
    format: 'nrf5-dfu',
    where: 'in the directory of the ZIP: "made by" (2 bytes), internal and external attributes (6 bytes)',
    why: 'about the packing computer; no device gets them',
  },
  {
    format: 'swupdate',
    where: 'in a cpio header: ino, permissions, nlink, uid, gid, mtime, device numbers',
    why: 'SWUpdate takes what is installed, and how, from the signed description alone',
  },
  {
    format: 'swupdate',
    where: 'order of the files behind the signature, case of hexadecimal digits, zeros behind the last name',
    why: 'files are found by name, each against its hash',
  },
];

type Canonical = (bytes: Uint8Array) => Uint8Array;

/** An accepted image without what its format leaves to anyone: equal for two images that install the same. */
export const CANONICAL: Readonly<Partial<Record<ImageFormatName, Canonical>>> = {
  mcuboot: canonicalMcuboot,
  psoc64: canonicalMcuboot,
  'nrf5-dfu': canonicalZip,
  swupdate: canonicalSwu,
};

function canonicalMcuboot(bytes: Uint8Array): Uint8Array {
  const tlvs = mcubootAnatomy(bytes).parts.filter(({ name }) => name === 'unprotected TLV');
  const covered = bytes.subarray(0, tlvs[0]?.start ?? 0);
  const entries = tlvs.map(({ start, end }) => bytes.subarray(start, end));
  return concatBytes(covered, ...entries.sort((one, other) => (one[0] ?? 0) - (other[0] ?? 0)));
}

function canonicalZip(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  for (const { name, start } of zipAnatomy(bytes).parts) {
    if (name === 'entry') copy.fill(0, start + 4, start + 6).fill(0, start + 36, start + 42);
  }
  return copy;
}

/** ino; then nlink, uid, gid and mtime; then the device numbers. */
const FREE_FIELDS = [0, 2, 3, 4, 5, 7, 8, 9, 10];
const MODE_FIELD = 1;

function canonicalSwu(bytes: Uint8Array): Uint8Array {
  const entries = swuAnatomy(bytes).parts.filter(({ name }) => name === 'file' || name === 'last name');
  const texts = entries.map(({ name, start, end }) => {
    const raw = new TextDecoder('latin1').decode(bytes.subarray(start, end));
    const header = raw.slice(0, 110).toLowerCase().split('');
    for (const field of FREE_FIELDS) header.fill('0', 6 + 8 * field, 14 + 8 * field);
    // Of the mode, permissions; of the last name, which has no file, all.
    const from = name === 'last name' ? 0 : 5;
    header.fill('0', 6 + 8 * MODE_FIELD + from, 14 + 8 * MODE_FIELD);
    return header.join('') + raw.slice(110);
  });
  const [description = '', signature = '', ...rest] = texts;
  const last = rest.pop() ?? '';
  return new TextEncoder().encode([description, signature, ...rest.sort(), last].join('\n'));
}
