import {
  createSigner,
  generatePrivateKey,
  issueCertificate,
  newSerial,
  type PrivateKey,
  type Signer,
} from '@holdfast/crypto';
import { systemClock, systemRandom } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import { type Certificate, decodeCertificate, type GeneralName } from '@holdfast/wire/x509';

/** A certificate with its key, as a test needs it. */
export interface TestCertificate {
  readonly key: PrivateKey;
  readonly pem: string;
}

const DAY = 86_400_000;
const NOW = Math.floor(systemClock.now() / 1000) * 1000;

/** A root that signs whatever a test asks for. */
export class TestAuthority {
  readonly root: Certificate;
  readonly rootPem: string;
  readonly #signer: Signer;

  static async create(name = 'test root'): Promise<TestAuthority> {
    const key = await generatePrivateKey('P-256');
    const signer = createSigner(key);
    const der = await issueCertificate(
      { profile: 'root', ...fields(key.publicKey.spki), subjectName: [{ type: 'commonName', value: name }] },
      signer,
    );
    return new TestAuthority(decodeCertificate(der), signer);
  }

  private constructor(root: Certificate, signer: Signer) {
    this.root = root;
    this.rootPem = encodePem('CERTIFICATE', root.raw);
    this.#signer = signer;
  }

  async server(name: GeneralName = { kind: 'dns', text: 'localhost' }): Promise<TestCertificate> {
    const key = await generatePrivateKey('P-256');
    const shape = {
      ...fields(key.publicKey.spki),
      subjectName: [{ type: 'commonName', value: 'server' }],
      san: [name],
    } as const;
    return { key, pem: await this.#issue('server', shape) };
  }

  async claim(): Promise<TestCertificate> {
    const key = await generatePrivateKey('P-256');
    const shape = { ...fields(key.publicKey.spki), subjectName: [{ type: 'commonName', value: 'claim' }] } as const;
    return { key, pem: await this.#issue('claim', shape) };
  }

  /** @returns PEM of a device certificate for this key */
  device(thing: string, spki: Uint8Array, life = { notBefore: NOW - DAY, notAfter: NOW + 30 * DAY }): Promise<string> {
    return this.#issue('device-ldevid', {
      ...fields(spki),
      ...life,
      subjectName: [{ type: 'commonName', value: thing }],
      san: [{ kind: 'uri', text: `urn:holdfast:default:device:${thing}` }],
    });
  }

  async #issue(
    profile: 'server' | 'claim' | 'device-ldevid',
    shape: Omit<Parameters<typeof issueCertificate>[0], 'profile'>,
  ): Promise<string> {
    return encodePem('CERTIFICATE', await issueCertificate({ ...shape, profile, issuer: this.root }, this.#signer));
  }
}

function fields(spki: Uint8Array) {
  return { publicKey: spki, serial: newSerial(systemRandom), notBefore: NOW - 2 * DAY, notAfter: NOW + 60 * DAY };
}
