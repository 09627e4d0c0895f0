import { createECDH, createHash, createHmac, createPrivateKey, hkdfSync, type KeyObject } from 'node:crypto';
import { concatBytes, decodeHex, encodeBase64Url } from '@holdfast/kernel';
import type { DiceMode } from '@holdfast/wire/x509';
import { DICE_MODES } from '@holdfast/wire/x509';

/** Salts of the Open DICE specification, "Salt". */
const ASYM_SALT = decodeHex(
  '63b6a04d2c077fc10f639f21da793844356cc2b0b441b3a77124035c03f8e1be6035d31f282821a7450a02222ab1b3cff1679b05ab1ca5d1affb789ccd2b0b3b',
);
const ID_SALT = decodeHex(
  'dbdbaebc8020da9ff0dd5a24c83aa5a54286dfc263031e329b4da148430659fe62cdb5b7e1e00fc680306711eb444af77209359496fcff1db9520ba51c7b29ea',
);
const SECRET_LENGTH = 32;
const ID_LENGTH = 20;
/** Order of P-256 (SEC 2, 2.4.2). */
const P256_ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

/** The inputs one stage measures of the next; every hash is SHA-512. */
export interface DiceInputs {
  readonly codeHash: Uint8Array;
  readonly configurationHash: Uint8Array;
  readonly authorityHash: Uint8Array;
  readonly mode: DiceMode;
}

/** `seal` stays the same over updates of the code by the same authority; `attest` changes with every input. */
export interface DiceSecrets {
  readonly attest: Uint8Array;
  readonly seal: Uint8Array;
}

/** A secret of a stage as a key pair: what it signs, it signs as the layer that was measured. */
export interface DiceKey {
  readonly privateKey: KeyObject;
  /** Uncompressed point, 65 bytes. */
  readonly point: Uint8Array;
  /** 20 bytes; certificate serial number and key identifier. */
  readonly id: Uint8Array;
}

export function sha512(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha512').update(bytes).digest());
}

/**
 * The secrets of the next layer (Open DICE specification, "CDI values").
 *
 * @param secret - 32 bytes: the fuse secret, or the attest secret of the layer below
 */
export function deriveDiceSecrets(current: DiceSecrets, inputs: DiceInputs): DiceSecrets {
  const { codeHash, configurationHash, authorityHash, mode } = inputs;
  const modeByte = Uint8Array.of(DICE_MODES.indexOf(mode));
  const hidden = new Uint8Array(64);
  const all = sha512(concatBytes(codeHash, configurationHash, authorityHash, modeByte, hidden));
  const stable = sha512(concatBytes(authorityHash, modeByte, hidden));
  return {
    attest: kdf(SECRET_LENGTH, current.attest, all, 'CDI_Attest'),
    seal: kdf(SECRET_LENGTH, current.seal, stable, 'CDI_Seal'),
  };
}

/** The P-256 key pair of a secret (Open DICE specification, "Asymmetric Key Derivation"; RFC 6979 3.2 b-h). */
export function deriveDiceKey(secret: Uint8Array): DiceKey {
  const scalar = scalarFromSeed(kdf(SECRET_LENGTH, secret, ASYM_SALT, 'Key Pair'));
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  const point = new Uint8Array(ecdh.getPublicKey());
  const privateKey = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: encodeBase64Url(scalar),
      x: encodeBase64Url(point.subarray(1, 33)),
      y: encodeBase64Url(point.subarray(33)),
    },
  });
  return { privateKey, point, id: diceId(point) };
}

/** Identifier of a public key (Open DICE specification, "Key identifiers"); a positive number of at most 20 octets. */
export function diceId(publicKey: Uint8Array): Uint8Array {
  const id = kdf(ID_LENGTH, publicKey, ID_SALT, 'ID');
  id[0] = (id[0] ?? 0) & 0x7f;
  return id;
}

function kdf(length: number, secret: Uint8Array, salt: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha512', secret, salt, info, length));
}

/** HMAC_DRBG with SHA-512 over the seed, first output in [1, order - 1]. */
function scalarFromSeed(seed: Uint8Array): Uint8Array {
  let key: Uint8Array = new Uint8Array(64);
  let value: Uint8Array = new Uint8Array(64).fill(1);
  const mac = (...parts: readonly Uint8Array[]): Uint8Array =>
    new Uint8Array(
      createHmac('sha512', key)
        .update(concatBytes(...parts))
        .digest(),
    );
  for (const step of [0, 1]) {
    key = mac(value, Uint8Array.of(step), seed);
    value = mac(value);
  }
  for (;;) {
    value = mac(value);
    const candidate = value.slice(0, SECRET_LENGTH);
    const number = BigInt(`0x${Buffer.from(candidate).toString('hex')}`);
    if (number > 0n && number < P256_ORDER) return candidate;
    key = mac(value, Uint8Array.of(0));
    value = mac(value);
  }
}
