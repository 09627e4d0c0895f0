import {
  createSigner,
  generatePrivateKey,
  issueCertificate,
  newSerial,
  type PrivateKey,
  type PublicKey,
} from '@holdfast/crypto';
import { systemRandom } from '@holdfast/kernel';
import { type Certificate, type CertificateProfile, decodeCertificate, type NamePart } from '@holdfast/wire/x509';

export interface MadeCertificate {
  readonly der: Uint8Array;
  readonly key: PrivateKey;
}

export interface MakerWish {
  readonly subject?: readonly NamePart[];
  readonly profile?: CertificateProfile;
  readonly key?: PrivateKey;
  /** Of another key than the maker of the certificate holds, such as a weak one. */
  readonly publicKey?: PublicKey;
  readonly notBefore?: number;
  readonly notAfter?: number;
}

const DAY_MS = 86_400_000;

/** A maker of devices with an authority of its own. */
export class MakerAuthority {
  readonly der: Uint8Array;
  readonly certificate: Certificate;
  readonly key: PrivateKey;
  readonly now: number;

  private constructor(der: Uint8Array, key: PrivateKey, now: number) {
    this.der = der;
    this.key = key;
    this.now = now;
    this.certificate = decodeCertificate(der);
  }

  /** @param now - milliseconds since the epoch; its certificates are valid from a day before on */
  static async open(
    now: number,
    name = 'Maker Root',
    given: { readonly issuer?: MakerAuthority; readonly key?: PrivateKey } = {},
  ): Promise<MakerAuthority> {
    const { issuer, key = await generatePrivateKey('P-256') } = given;
    const der = await issueCertificate(
      {
        profile: issuer === undefined ? 'root' : 'issuing',
        ...(issuer === undefined ? {} : { issuer: issuer.certificate }),
        subjectName: [{ type: 'commonName', value: name }],
        publicKey: key.publicKey,
        serial: newSerial(systemRandom),
        notBefore: now - DAY_MS,
        notAfter: now + 3650 * DAY_MS,
      },
      createSigner(issuer?.key ?? key),
    );
    return new MakerAuthority(der, key, now);
  }

  async issue(wish: MakerWish = {}): Promise<MadeCertificate> {
    const key = wish.key ?? (await generatePrivateKey('P-256'));
    const der = await issueCertificate(
      {
        profile: wish.profile ?? 'device-ldevid',
        issuer: this.certificate,
        subjectName: wish.subject ?? [{ type: 'commonName', value: 'unit-1' }],
        publicKey: wish.publicKey ?? key.publicKey,
        serial: newSerial(systemRandom),
        notBefore: wish.notBefore ?? this.now - DAY_MS,
        notAfter: wish.notAfter ?? this.now + 365 * DAY_MS,
      },
      createSigner(this.key),
    );
    return { der, key };
  }

  /** Proof of possession for a registration code. */
  async verify(code: string): Promise<Uint8Array> {
    return (await this.issue({ subject: [{ type: 'commonName', value: code }] })).der;
  }
}
