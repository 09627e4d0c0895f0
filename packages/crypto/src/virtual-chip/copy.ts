import { type NorFlash, padTo } from './flash.ts';
import type { Region } from './geometry.ts';

const MIN_CHUNK = 256;
const MAX_CHUNK = 4096;

/** Erases the sectors and fills them from `from`; a repeat after a cut gives the same. */
export function refill(flash: NorFlash, erase: Region, from: number, length: number): void {
  const { map, geometry } = flash;
  for (let i = 0; i < erase.sectors; i++) flash.erase(erase.firstSector + i);
  const to = map.start(erase.firstSector);
  const chunk = Math.max(
    geometry.writeUnit,
    Math.min(Math.max(map.sizeOf(erase.firstSector) / 2, MIN_CHUNK), MAX_CHUNK),
  );
  for (let at = 0; at < length; at += chunk)
    flash.write(to + at, padTo(flash.read(from + at, Math.min(chunk, length - at)), geometry));
}

/** Writes an image to blank sectors. */
export function fill(flash: NorFlash, address: number, image: Uint8Array): void {
  const { geometry } = flash;
  const chunk = Math.max(geometry.writeUnit, MAX_CHUNK);
  for (let at = 0; at < image.length; at += chunk)
    flash.write(address + at, padTo(image.subarray(at, at + chunk), geometry));
}
