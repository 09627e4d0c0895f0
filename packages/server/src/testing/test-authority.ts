import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { systemClock } from '@holdfast/kernel';
import {
  type CertificateProfile,
  encodeAlgorithm,
  encodeFromTemplate,
  encodeName,
  encodeSigned,
  OID,
  prepareTemplate,
} from '@holdfast/wire/x509';

const ALGORITHM = encodeAlgorithm(OID.ecdsaWithSha256);
const DAY_MS = 86_400_000;

export interface Issued {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Wish {
  readonly profile: CertificateProfile;
  readonly name: string;
  readonly notBefore?: number;
  readonly notAfter?: number;
}

/** A certification authority for tests: P-256, one level, no bookkeeping. */
export class TestAuthority {
  readonly root: Issued;
  readonly #name: Uint8Array;

  constructor(name: string, root?: Issued) {
    this.#name = encodeName([{ type: 'commonName', value: name }]);
    this.root = root ?? issue({ profile: 'root', name }, undefined, this.#name);
  }

  issue(wish: Wish): Issued {
    return issue(wish, this.root.key, this.#name);
  }

  /** A CA certificate of another authority's making: the leaf-as-CA attack. */
  static under(name: string, issued: Issued): TestAuthority {
    return new TestAuthority(name, issued);
  }
}

function issue(wish: Wish, issuerKey: KeyObject | undefined, issuerName: Uint8Array): Issued {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const notBefore = wish.notBefore ?? systemClock.now() - DAY_MS;
  const notAfter = wish.notAfter ?? systemClock.now() + DAY_MS;
  const template = prepareTemplate({ profile: wish.profile, issuerName, algorithm: ALGORITHM });
  const tbs = encodeFromTemplate(template, {
    serial: createHash('sha256').update(spki).digest().subarray(0, 16).fill(0x11, 0, 1),
    validity: { notBefore, notAfter },
    subject: encodeName([{ type: 'commonName', value: wish.name }]),
    spki,
    subjectKeyIdentifier: createHash('sha1').update(spki).digest(),
    ...(wish.profile === 'server' ? { subjectAltName: [{ kind: 'dns', text: 'localhost' } as const] } : {}),
  });
  const der = encodeSigned(tbs, ALGORITHM, sign('sha256', tbs, issuerKey ?? privateKey));
  const base64 = Buffer.from(der)
    .toString('base64')
    .replace(/(.{64})(?=.)/g, '$1\n');
  return {
    der,
    pem: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey,
    keyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    fingerprint: createHash('sha256').update(der).digest('hex'),
    notBefore,
    notAfter,
  };
}
