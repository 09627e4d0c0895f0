import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseVersion } from '@holdfast/wire/mcuboot';
import {
  mcubootPublicKey,
  type McubootPublicKey,
  type McubootSignOptions,
  prepareMcubootImage,
  type SignatureRequest,
} from './index.ts';
import { algorithmRow } from '../keys/algorithms.ts';
import { schemeOptions } from '../keys/verify.ts';

const FOLDER = new URL('../../../wire/vectors/mcuboot/', import.meta.url);

export function vectorFile(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(name, FOLDER)));
}

/** A published test key of MCUboot by file name without its suffix. */
export function vectorKey(name: string): KeyObject {
  return createPrivateKey(readFileSync(new URL(`keys/${name}.pem`, FOLDER)));
}

export function vectorPublicKey(name: string): McubootPublicKey {
  return mcubootPublicKey(vectorKey(name));
}

export const VECTOR_KEYS = ['root-rsa-2048', 'root-rsa-3072', 'root-ec-p256', 'root-ec-p384', 'root-ed25519'] as const;

export const SMALL: McubootSignOptions = { version: parseVersion('1.2.3+4'), headerSize: 32, padHeader: true };

/** What `createSigner` does, without waiting. */
function signNow({ algorithm, message }: SignatureRequest, key: KeyObject): Uint8Array {
  const { hash } = algorithmRow(algorithm);
  return sign(hash, message, schemeOptions(algorithm, key, 'der'));
}

/** Signs a payload with one of the vector keys. */
export function signSample(payload: Uint8Array, options: McubootSignOptions, keyName: string): Uint8Array {
  const key = vectorKey(keyName);
  const prepared = prepareMcubootImage(payload, options, mcubootPublicKey(key));
  return prepared.finish(signNow(prepared.request, key));
}
