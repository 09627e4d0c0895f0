import {
  createSigner,
  encodeSignatureAlgorithm,
  generatePrivateKey,
  issueCertificate,
  newSerial,
  type Signer,
  SoftwareTpm,
} from '@holdfast/crypto';
import { systemRandom } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import {
  decodeCertificate,
  encodeAuthorityKeyIdentifier,
  encodeExtension,
  encodeExtKeyUsage,
  encodeName,
  encodeSigned,
  encodeTbsCertificate,
  OID,
} from '@holdfast/wire/x509';
import { enrollByTpm, type PostJson } from '../enroll/tpm-enrollment.ts';
import { TpmIdentity } from '../keys/tpm-identity.ts';
import { TpmKeyStore } from '../keys/tpm-key-store.ts';
import { endorseTpm, virtualTpm } from '../keys/virtual-tpm.ts';
import { MemoryStore } from '../store/device-store.ts';
import { IdentityStore } from '../store/identity-store.ts';

const DAY = 86_400_000;

/** A maker of TPMs. */
export class Maker {
  readonly pem: string;
  readonly #signer: Signer;
  readonly #issuer: ReturnType<typeof decodeCertificate>;

  static async open(): Promise<Maker> {
    const key = await generatePrivateKey('P-256');
    const signer = createSigner(key);
    const fields = { ...shape(key.publicKey.spki), subjectName: [{ type: 'commonName', value: 'maker' }] } as const;
    return new Maker(signer, await issueCertificate({ profile: 'root', ...fields }, signer));
  }

  constructor(signer: Signer, der: Uint8Array) {
    this.#signer = signer;
    this.#issuer = decodeCertificate(der);
    this.pem = encodePem('CERTIFICATE', der);
  }

  /** As the EK Credential Profile has it: the purpose that no other certificate has. */
  async certify(spki: Uint8Array): Promise<Uint8Array> {
    const issuerId = this.#issuer.known.subjectKeyIdentifier ?? new Uint8Array();
    const tbs = encodeTbsCertificate({
      serial: newSerial(systemRandom),
      algorithm: encodeSignatureAlgorithm(this.#signer.algorithm),
      issuer: this.#issuer.subject.raw,
      validity: { notBefore: Date.UTC(2025, 0), notAfter: Date.UTC(2040, 0) },
      subject: encodeName([{ type: 'commonName', value: 'unknown' }]),
      spki,
      extensions: [
        encodeExtension(OID.extKeyUsage, false, encodeExtKeyUsage(['2.23.133.8.1'])),
        encodeExtension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier(issuerId)),
      ],
    });
    return encodeSigned(tbs, encodeSignatureAlgorithm(this.#signer.algorithm), await this.#signer.sign(tbs));
  }
}

function shape(spki: Uint8Array) {
  return {
    publicKey: spki,
    serial: newSerial(systemRandom),
    notBefore: Date.UTC(2025, 0),
    notAfter: Date.UTC(2025, 0) + 3000 * DAY,
  } as const;
}

/** A gateway with a TPM of that maker. */
export interface Gateway {
  readonly software: SoftwareTpm;
  readonly identity: TpmIdentity;
  readonly endorsementPem: string;
  enroll(post: PostJson): ReturnType<typeof enrollByTpm>;
}

/** @param software - a TPM that another gateway has too: whoever owns one makes as many keys in it as they like */
export async function makeGateway(maker: Maker, software = new SoftwareTpm()): Promise<Gateway> {
  const certificate = await endorseTpm(software, (spki) => maker.certify(spki));
  const tpm = virtualTpm(software);
  const store = new MemoryStore();
  const keys = new TpmKeyStore(tpm, store);
  const identity = new TpmIdentity(tpm, keys, systemRandom);
  const identities = new IdentityStore(store, keys);
  return {
    software,
    identity,
    endorsementPem: encodePem('CERTIFICATE', certificate),
    enroll: (post) => enrollByTpm({ tpm: identity, keys, identities, serial: 'wished' }, post),
  };
}
