import { importPrivateKey, type PrivateKey } from '@holdfast/crypto';
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8, type EpochMs } from '@holdfast/kernel';
import { decodeCertificate } from '@holdfast/wire/x509';

/** What a TLS listener shows. */
export interface ServerCredential {
  readonly certificateDer: Uint8Array;
  /** Issuers up to, and without, the root. */
  readonly chainDer: readonly Uint8Array[];
  readonly privateKey: PrivateKey;
  readonly notBefore: EpochMs;
  readonly notAfter: EpochMs;
}

interface KeptCredential extends ServerCredential {
  /** What the certificate was asked for. */
  readonly names: readonly string[];
}

interface Written {
  readonly names: readonly string[];
  readonly certificate: string;
  readonly chain: readonly string[];
  readonly key: string;
}

/** A secret: it holds the private key. */
export function encodeCredential({ names, certificateDer, chainDer, privateKey }: KeptCredential): Uint8Array {
  const written: Written = {
    names,
    certificate: encodeBase64(certificateDer),
    chain: chainDer.map((der) => encodeBase64(der)),
    key: encodeBase64(privateKey.exportPkcs8()),
  };
  return encodeUtf8(JSON.stringify(written));
}

/** Reads what `encodeCredential` wrote and nobody else can have: it comes out of a seal. */
export function decodeCredential(content: Uint8Array): KeptCredential {
  const { names, certificate, chain, key } = JSON.parse(decodeUtf8(content)) as Written;
  const certificateDer = decodeBase64(certificate);
  return {
    names,
    certificateDer,
    chainDer: chain.map((der) => decodeBase64(der)),
    privateKey: importPrivateKey(decodeBase64(key)),
    ...decodeCertificate(certificateDer).validity,
  };
}
