import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { TPM_ALG, TPM_HASHES, type TpmHash, tpmHashOf } from './constants.ts';
import { readSized, unsupported, writeSized } from './fields.ts';

/** TPMT_SIGNATURE (TPM 2.0 part 2, 11.3.4). r and s come without leading zeros or with, as the TPM likes. */
export type TpmSignature =
  | { readonly scheme: 'ecdsa'; readonly hash: TpmHash; readonly r: Uint8Array; readonly s: Uint8Array }
  | { readonly scheme: 'rsassa' | 'rsapss'; readonly hash: TpmHash; readonly signature: Uint8Array };

const IDS = { ecdsa: TPM_ALG.ecdsa, rsassa: TPM_ALG.rsassa, rsapss: TPM_ALG.rsapss } as const;
const MAX_HALF = 66;
const MAX_RSA = 512;

/** @throws `wire.unsupported` for other schemes and hashes; `wire.truncated`, `wire.trailing_bytes`, `wire.too_large` */
export function decodeTpmSignature(bytes: Uint8Array): TpmSignature {
  const reader = new ByteReader(bytes);
  const signature = readTpmSignature(reader);
  reader.end('signature');
  return signature;
}

export function readTpmSignature(reader: ByteReader): TpmSignature {
  const id = reader.u16be('sigAlg');
  const scheme = (['ecdsa', 'rsassa', 'rsapss'] as const).find((name) => IDS[name] === id);
  if (scheme === undefined) throw unsupported(reader, 'sigAlg');
  const hash = tpmHashOf(reader.u16be('hash'));
  if (hash === undefined) throw unsupported(reader, 'hash');
  if (scheme !== 'ecdsa') return { scheme, hash, signature: readSized(reader, 'signature', MAX_RSA) };
  return { scheme, hash, r: readSized(reader, 'r', MAX_HALF), s: readSized(reader, 's', MAX_HALF) };
}

export function encodeTpmSignature(value: TpmSignature): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(80).u16be(IDS[value.scheme]).u16be(TPM_HASHES[value.hash].id);
  if (value.scheme !== 'ecdsa') return writeSized(writer, value.signature).finish();
  return writeSized(writeSized(writer, value.r), value.s).finish();
}
