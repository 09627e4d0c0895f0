import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeHex, encodeHex } from '@holdfast/kernel';
import { encodeInteger, encodeOctetString, encodeOid, encodeSequence } from '@holdfast/wire/asn1';
import { encodeAlgorithm, encodeEdwardsSpki, encodePrivateKeyInfo, OID } from '@holdfast/wire/x509';
import {
  agreeSecret,
  decryptOaep,
  type EcdsaEncoding,
  hkdf,
  importAnyPublicKey,
  importPrivateKey,
  importPublicKey,
  openAesGcm,
  type PrivateKey,
  type PublicKey,
  sealAesGcm,
  type SignatureAlgorithm,
  unwrapKey,
  verifySignature,
  wrapKey,
} from '../index.ts';

type Vector = Readonly<Record<string, string>> & {
  readonly tcId: number;
  readonly size: number;
  readonly flags: readonly string[];
};
interface Group {
  readonly publicKeyDer: string;
  readonly privateKeyPkcs8: string;
  readonly ivSize: number;
  readonly keySize: number;
  readonly tests: readonly Vector[];
}

/** Outcomes counted as `result of the file/our verdict`. */
function run(
  file: string,
  accepts: (vector: Vector, group: Group) => boolean,
  inScope: (group: Group) => boolean = () => true,
): Record<string, number> {
  const url = new URL(`../../vectors/wycheproof/${file}_test.json`, import.meta.url);
  const { testGroups } = JSON.parse(readFileSync(url, 'utf8')) as { testGroups: readonly Group[] };
  const counts: Record<string, number> = {};
  for (const group of testGroups.filter(inScope)) {
    for (const vector of group.tests) {
      const key = `${vector['result']} ${accepts(vector, group) ? 'accepted' : 'refused'}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
  }
  return counts;
}

const hex = (vector: Vector, field: string) => decodeHex(vector[field] ?? '');

function attempt(action: () => boolean): boolean {
  try {
    return action();
  } catch {
    return false;
  }
}

describe('Wycheproof signatures', () => {
  it.each<[string, SignatureAlgorithm, EcdsaEncoding, number, number]>([
    ['ecdsa_secp256r1_sha256', 'ecdsa-p256-sha256', 'der', 174, 310],
    ['ecdsa_secp256r1_sha256_p1363', 'ecdsa-p256-sha256', 'ieee-p1363', 173, 89],
    ['ecdsa_secp384r1_sha384', 'ecdsa-p384-sha384', 'der', 194, 310],
    ['ed25519', 'ed25519', 'der', 88, 63],
    ['rsa_pss_2048_sha256_mgf1_32', 'rsa-pss-sha256', 'der', 63, 45],
    ['rsa_pss_3072_sha256_mgf1_32', 'rsa-pss-sha256', 'der', 63, 45],
  ])('%s: every valid one verifies and no other', (file, algorithm, encoding, valid, invalid) => {
    let last = '';
    let key: PublicKey | undefined;
    const counts = run(file, (vector, group) => {
      if (key === undefined || group.publicKeyDer !== last) key = importPublicKey(decodeHex(group.publicKeyDer));
      last = group.publicKeyDer;
      return verifySignature(algorithm, key, hex(vector, 'msg'), hex(vector, 'sig'), encoding);
    });
    expect(counts).toEqual({ 'valid accepted': valid, 'invalid refused': invalid });
  });
});

describe('Wycheproof encryption', () => {
  it('AES-GCM: as told for 96-bit nonces and keys of 128 or 256 bits, and the rest refused', () => {
    const inScope = ({ ivSize, keySize }: Group) => ivSize === 96 && keySize !== 192;
    const accepts = (vector: Vector) =>
      attempt(() => {
        const input = { key: hex(vector, 'key'), nonce: hex(vector, 'iv'), aad: hex(vector, 'aad') };
        const sealed = decodeHex(`${vector['ct']}${vector['tag']}`);
        const opened = openAesGcm(input, sealed);
        return encodeHex(opened) === vector['msg'] && encodeHex(sealAesGcm(input, opened)) === encodeHex(sealed);
      });
    expect(run('aes_gcm', accepts, inScope)).toEqual({ 'valid accepted': 79, 'invalid refused': 54 });
    expect(run('aes_gcm', accepts, (group) => !inScope(group))).toEqual({
      'valid refused': 150,
      'invalid refused': 33,
    });
  });

  it('AES key wrap: nothing invalid unwraps, and keys under 128 bits are refused', () => {
    const counts = run('aes_wrap', (vector) =>
      attempt(() => {
        const key = unwrapKey('plain', hex(vector, 'key'), hex(vector, 'ct'));
        return (
          encodeHex(key) === vector['msg'] && encodeHex(wrapKey('plain', hex(vector, 'key'), key)) === vector['ct']
        );
      }),
    );
    expect(counts).toEqual({ 'valid accepted': 36, 'invalid refused': 126, 'acceptable refused': 3 });
  });

  it('RSA-OAEP: every valid one opens and no other', () => {
    const counts = run('rsa_oaep_2048_sha256_mgf1sha256', (vector, { privateKeyPkcs8 }) =>
      attempt(() => {
        const key = importPrivateKey(decodeHex(privateKeyPkcs8));
        const label = hex(vector, 'label');
        return encodeHex(decryptOaep(key, hex(vector, 'ct'), { hash: 'sha256', label })) === vector['msg'];
      }),
    );
    expect(counts).toEqual({ 'valid accepted': 18, 'invalid refused': 19 });
  });
});

describe('Wycheproof derivation and agreement', () => {
  it('HKDF-SHA-256: as told', () => {
    const counts = run('hkdf_sha256', (vector) =>
      attempt(() => {
        const input = {
          key: hex(vector, 'ikm'),
          salt: hex(vector, 'salt'),
          info: hex(vector, 'info'),
          length: vector.size,
        };
        return encodeHex(hkdf('sha256', input)) === vector['okm'];
      }),
    );
    expect(counts).toEqual({ 'valid accepted': 83, 'invalid refused': 3 });
  });

  it('X25519: every valid one agrees, and the low-order points are refused', () => {
    const counts = run('x25519', (vector) =>
      attempt(() => {
        const own = importX25519(hex(vector, 'private'));
        const secret = agreeSecret(own, importAnyPublicKey(encodeEdwardsSpki('x25519', hex(vector, 'public'))));
        return encodeHex(secret) === vector['shared'];
      }),
    );
    expect(counts).toEqual({ 'valid accepted': 264, 'acceptable accepted': 223, 'acceptable refused': 31 });
  });

  it('ECDH P-256: named curves in DER alone', () => {
    const counts = run('ecdh_secp256r1', (vector) =>
      attempt(() => {
        const own = importP256(hex(vector, 'private'));
        return encodeHex(agreeSecret(own, importAnyPublicKey(hex(vector, 'public')))) === vector['shared'];
      }),
    );
    expect(counts).toEqual({ 'valid accepted': 330, 'invalid refused': 52, 'acceptable refused': 230 });
  });
});

function importX25519(raw: Uint8Array): PrivateKey {
  return importPrivateKey(encodePrivateKeyInfo(encodeAlgorithm(OID.x25519), encodeOctetString(raw)));
}

function importP256(scalar: Uint8Array): PrivateKey {
  const unsigned = scalar.subarray(Math.max(0, scalar.length - 32));
  const padded = new Uint8Array(32);
  padded.set(unsigned, 32 - unsigned.length);
  const key = encodeSequence(encodeInteger(1), encodeOctetString(padded));
  return importPrivateKey(encodePrivateKeyInfo(encodeAlgorithm(OID.ecPublicKey, encodeOid(OID.secp256r1)), key));
}
