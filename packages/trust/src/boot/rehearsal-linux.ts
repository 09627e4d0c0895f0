import { sha256 } from '@holdfast/crypto';
import { type ImageJudge, layoutBoard, VirtualChip } from '@holdfast/crypto/virtual-chip';
import { concatBytes, decodeHex, equalBytes, seededRandom } from '@holdfast/kernel';
import type { ImageFormatName } from './formats.ts';
import type { AcceptedImage } from './image-format.ts';

const BODY = 8192;
const DIGEST = 32;

/** Formats whose bundles are verified and unpacked into a slot; the bundle itself never lies in flash. */
export function isUnpacked(format: ImageFormatName): boolean {
  return format === 'rauc' || format === 'swupdate';
}

/** What stands in a slot for what a bundle unpacks to: bytes of its own, behind their digest as dm-verity has it. */
export function standIn({ digest }: Pick<AcceptedImage, 'digest'>): Uint8Array {
  const name = decodeHex(digest);
  const noise = seededRandom(new DataView(name.buffer, name.byteOffset).getUint32(0)).bytes(BODY);
  const body = concatBytes(sha256(name), noise);
  return concatBytes(sha256(body), body);
}

/** Boots a slot whose bytes match the digest before them. */
const judgeStandIn: ImageJudge = (slot) => {
  const body = slot.subarray(DIGEST, 2 * DIGEST + BODY);
  const digest = slot.slice(0, DIGEST);
  if (!equalBytes(sha256(body), digest)) return { kind: 'refused', code: 'boot.hash_mismatch' };
  return {
    kind: 'accepted',
    size: DIGEST + body.length,
    version: '',
    rank: 0n,
    securityCounter: undefined,
    digest,
    digestAlgorithm: 'sha256',
    covered: body,
    payload: body,
    authority: new Uint8Array(0),
  };
};

/** A device with two root slots and boot attempts counted beside them. */
export function linuxDevice(): VirtualChip {
  return new VirtualChip(layoutBoard('linux', { smallest: 2 * DIGEST + BODY }), judgeStandIn);
}
