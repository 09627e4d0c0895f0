import 'reflect-metadata';
import { type KeyObject, webcrypto } from 'node:crypto';
import { KeyObject as NodeKey } from 'node:crypto';
import { cryptoProvider, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';

export interface StockRequest {
  readonly csrPem: string;
  readonly privateKeyPem: string;
}

/** A P-256 key and a request for it, made by somebody else's library. */
export async function makeStockRequest(commonName: string): Promise<StockRequest> {
  // Its types ask for a browser's Crypto, which webcrypto is in all but name.
  cryptoProvider.set(webcrypto as never);
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    keys: keys as never,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  const key: KeyObject = NodeKey.from(keys.privateKey);
  return {
    csrPem: `${request.toString('pem')}\n`,
    privateKeyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
