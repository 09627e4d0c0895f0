import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mcubootPublicKey, prepareMcubootImage } from '../../mcuboot/index.ts';
import { encodeUtf8, seededRandom } from '@holdfast/kernel';
import { parseVersion } from '@holdfast/wire/mcuboot';
import { encodeBootProgram } from '../boot-program.ts';

/** A P-256 key pair made for a test. */
export interface TestKey {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

export function makeTestKey(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) };
}

export interface TestImage {
  readonly version?: string;
  readonly counter?: number;
  /** Bytes of payload. */
  readonly size?: number;
  readonly payload?: Uint8Array;
}

/** A signed MCUboot image whose payload is noise of the version. */
export function signTestImage(
  key: TestKey,
  { version = '1.0.0', counter = 1, size = 300, payload }: TestImage = {},
): Uint8Array {
  const seed = encodeUtf8(version).reduce((sum, byte) => sum * 31 + byte, 7);
  const prepared = prepareMcubootImage(
    payload ?? seededRandom(seed).bytes(size),
    { version: parseVersion(version), headerSize: 32, securityCounter: counter, padHeader: true },
    mcubootPublicKey(key.privateKey),
  );
  return prepared.finish(sign('sha256', prepared.request.message, key.privateKey));
}

/** A bootloader image that accepts application images of `imageKey`. */
export function signTestBootloader(bootKey: TestKey, imageKey: TestKey): Uint8Array {
  return signTestImage(bootKey, { version: '1.0.0', counter: 0, payload: encodeBootProgram([imageKey.spki]) });
}
