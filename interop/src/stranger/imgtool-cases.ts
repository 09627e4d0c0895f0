import { seededRandom } from '@holdfast/kernel';
import type { McubootSignOptions } from '@holdfast/crypto';
import type { McubootKeyKind, TrailerAlign } from '@holdfast/wire/mcuboot';

/** One randomised image: the same options for imgtool and for us. */
export interface ImgtoolCase {
  readonly name: string;
  readonly kind: McubootKeyKind;
  readonly payload: Uint8Array;
  readonly options: McubootSignOptions;
  readonly imgtoolArgs: readonly string[];
}

const KINDS: readonly McubootKeyKind[] = ['ecdsa-p256', 'ecdsa-p384', 'ed25519', 'rsa-2048', 'rsa-3072'];

/** Draws a case; the same seed draws the same one. */
export function drawCase(seed: number): ImgtoolCase {
  const random = seededRandom(seed * 2654435761 + 1);
  const below = (limit: number): number => new DataView(random.bytes(4).buffer).getUint32(0) % limit;
  const chance = (): boolean => below(2) === 0;
  const args: string[] = [];
  const flag = (wanted: boolean, name: string): boolean => {
    if (wanted) args.push(name);
    return wanted;
  };
  const value = <T>(result: T, ...words: readonly string[]): T => {
    args.push(...words);
    return result;
  };

  const kind = KINDS[seed % KINDS.length] ?? 'ecdsa-p256';
  const version = { major: below(256), minor: below(256), revision: below(65536), build: below(1000) };
  value(undefined, '-v', `${version.major}.${version.minor}.${version.revision}+${version.build}`, '--pad-header');
  const headerSize = [32, 512, 1024][below(3)] ?? 32;
  value(undefined, '-H', String(headerSize));
  const write = [1, 2, 4, 8, 16, 32][below(6)] ?? 1;
  const align: TrailerAlign = write === 16 || write === 32 ? write : 8;
  value(undefined, '--align', String(write), '-S', '0x20000', '-M', '16');
  const overwriteOnly = flag(chance(), '--overwrite-only');
  const pad = flag(chance(), '--pad');
  const confirm = flag(chance(), '--confirm');
  const erasedValue = chance() ? 0xff : value(0x00 as const, '-R', '0');
  const counter = below(3);
  const number = below(0xffffffff);
  const full = chance();
  if (full) args.push('--public-key-format', 'full');
  const options: McubootSignOptions = {
    version,
    headerSize,
    padHeader: true,
    erasedValue,
    publicKeyForm: full ? 'full' : 'hash',
    pure: kind === 'ed25519' && flag(chance(), '--pure'),
    nonBootable: false,
    slot: { size: 0x20000, writeSize: write, align, maxSectors: 16, overwriteOnly, pad: pad || confirm, confirm },
    ...(counter === 0
      ? {}
      : {
          securityCounter: counter === 1 ? value('auto' as const, '-s', 'auto') : value(number, '-s', String(number)),
        }),
    ...(chance() ? { bootRecord: value('SPE', '--boot-record', 'SPE') } : {}),
    ...(chance() ? { vendorId: value('holdfast.example', '--vid', 'holdfast.example') } : {}),
    ...(chance()
      ? {
          dependencies: [
            { imageId: 1, version: value({ major: 2, minor: 0, revision: 9, build: 7 }, '-d', '(1, 2.0.9+7)') },
          ],
        }
      : {}),
    ...(chance()
      ? { custom: [{ type: 0xa5, value: value(Uint8Array.of(1, 2, 3), '--custom-tlv', '0xa5', '0x010203') }] }
      : {}),
    ...(chance() ? { romFixed: value(0x08010000, '-F', '0x08010000') } : {}),
  };
  const payload = random.bytes(1 + below(20_000));
  return {
    name: `case ${seed} ${kind}, ${payload.length} bytes, ${args.join(' ')}`,
    kind,
    payload,
    options,
    imgtoolArgs: args,
  };
}
