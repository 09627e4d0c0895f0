import { readFileSync } from 'node:fs';
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
} from '../../index.ts';

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

/** How often each verdict fell, as `result of the file` and `accepted` or `refused`. */
type WycheproofCounts = Readonly<Record<string, number>>;

export interface WycheproofSuite {
  readonly file: string;
  /** What holds of it, as a sentence. */
  readonly title: string;
  readonly expected: WycheproofCounts;
  readonly run: () => WycheproofCounts;
}

type Accepts = (vector: Vector, group: Group) => boolean;

const SIGNATURES: readonly (readonly [string, SignatureAlgorithm, EcdsaEncoding, number, number])[] = [
  ['ecdsa_secp256r1_sha256', 'ecdsa-p256-sha256', 'der', 174, 310],
  ['ecdsa_secp256r1_sha256_p1363', 'ecdsa-p256-sha256', 'ieee-p1363', 173, 89],
  ['ecdsa_secp384r1_sha384', 'ecdsa-p384-sha384', 'der', 194, 310],
  ['ed25519', 'ed25519', 'der', 88, 63],
  ['rsa_pss_2048_sha256_mgf1_32', 'rsa-pss-sha256', 'der', 63, 45],
  ['rsa_pss_3072_sha256_mgf1_32', 'rsa-pss-sha256', 'der', 63, 45],
];

const isOurGcm = ({ ivSize, keySize }: Group): boolean => ivSize === 96 && keySize !== 192;

/** Every vector file that is kept here, with the verdicts that must fall. */
export const WYCHEPROOF: readonly WycheproofSuite[] = [
  ...SIGNATURES.map(([file, algorithm, encoding, valid, invalid]) => ({
    file,
    title: 'every valid signature verifies and no other',
    expected: { 'valid accepted': valid, 'invalid refused': invalid },
    run: () => countVerdicts(file, verifying(algorithm, encoding)),
  })),
  {
    file: 'aes_gcm',
    title: 'as told for nonces of 96 bits and keys of 128 or 256',
    expected: { 'valid accepted': 79, 'invalid refused': 54 },
    run: () => countVerdicts('aes_gcm', unlessThrown(opensGcm), isOurGcm),
  },
  {
    file: 'aes_gcm',
    title: 'other nonces and keys are refused',
    expected: { 'valid refused': 150, 'invalid refused': 33 },
    run: () => countVerdicts('aes_gcm', unlessThrown(opensGcm), (group) => !isOurGcm(group)),
  },
  {
    file: 'aes_wrap',
    title: 'nothing invalid unwraps, and keys under 128 bits are refused',
    expected: { 'valid accepted': 36, 'invalid refused': 126, 'acceptable refused': 3 },
    run: () =>
      countVerdicts(
        'aes_wrap',
        unlessThrown((vector) => {
          const key = unwrapKey('plain', hex(vector, 'key'), hex(vector, 'ct'));
          const again = wrapKey('plain', hex(vector, 'key'), key);
          return encodeHex(key) === vector['msg'] && encodeHex(again) === vector['ct'];
        }),
      ),
  },
  {
    file: 'rsa_oaep_2048_sha256_mgf1sha256',
    title: 'every valid one opens and no other',
    expected: { 'valid accepted': 18, 'invalid refused': 19 },
    run: () =>
      countVerdicts(
        'rsa_oaep_2048_sha256_mgf1sha256',
        unlessThrown((vector, { privateKeyPkcs8 }) => {
          const key = importPrivateKey(decodeHex(privateKeyPkcs8));
          const opened = decryptOaep(key, hex(vector, 'ct'), { hash: 'sha256', label: hex(vector, 'label') });
          return encodeHex(opened) === vector['msg'];
        }),
      ),
  },
  {
    file: 'hkdf_sha256',
    title: 'as told',
    expected: { 'valid accepted': 83, 'invalid refused': 3 },
    run: () =>
      countVerdicts(
        'hkdf_sha256',
        unlessThrown((vector) => {
          const [key, salt, info] = [hex(vector, 'ikm'), hex(vector, 'salt'), hex(vector, 'info')];
          return encodeHex(hkdf('sha256', { key, salt, info, length: vector.size })) === vector['okm'];
        }),
      ),
  },
  {
    file: 'x25519',
    title: 'every valid one agrees, and the low-order points are refused',
    expected: { 'valid accepted': 264, 'acceptable accepted': 223, 'acceptable refused': 31 },
    run: () =>
      countVerdicts(
        'x25519',
        unlessThrown((vector) => {
          const own = importX25519(hex(vector, 'private'));
          const other = importAnyPublicKey(encodeEdwardsSpki('x25519', hex(vector, 'public')));
          return encodeHex(agreeSecret(own, other)) === vector['shared'];
        }),
      ),
  },
  {
    file: 'ecdh_secp256r1',
    title: 'named curves in DER alone',
    expected: { 'valid accepted': 330, 'invalid refused': 52, 'acceptable refused': 230 },
    run: () =>
      countVerdicts(
        'ecdh_secp256r1',
        unlessThrown((vector) => {
          const own = importP256(hex(vector, 'private'));
          return encodeHex(agreeSecret(own, importAnyPublicKey(hex(vector, 'public')))) === vector['shared'];
        }),
      ),
  },
];

function countVerdicts(file: string, accepts: Accepts, inScope: (group: Group) => boolean = () => true) {
  const url = new URL(`../../../vectors/wycheproof/${file}_test.json`, import.meta.url);
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

/** For functions that refuse by throwing. */
function unlessThrown(accepts: Accepts): Accepts {
  return (vector, group) => {
    try {
      return accepts(vector, group);
    } catch {
      return false;
    }
  };
}

const hex = (vector: Vector, field: string): Uint8Array => decodeHex(vector[field] ?? '');

function verifying(algorithm: SignatureAlgorithm, encoding: EcdsaEncoding): Accepts {
  let last = '';
  let key: PublicKey | undefined;
  return (vector, group) => {
    if (key === undefined || group.publicKeyDer !== last) key = importPublicKey(decodeHex(group.publicKeyDer));
    last = group.publicKeyDer;
    return verifySignature(algorithm, key, hex(vector, 'msg'), hex(vector, 'sig'), encoding);
  };
}

function opensGcm(vector: Vector): boolean {
  const input = { key: hex(vector, 'key'), nonce: hex(vector, 'iv'), aad: hex(vector, 'aad') };
  const sealed = decodeHex(`${vector['ct']}${vector['tag']}`);
  const opened = openAesGcm(input, sealed);
  return encodeHex(opened) === vector['msg'] && encodeHex(sealAesGcm(input, opened)) === encodeHex(sealed);
}

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
