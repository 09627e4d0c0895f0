import { systemRandom } from '@holdfast/kernel';
import { type Certificate, decodeCertificate } from '@holdfast/wire/x509';
import { generatePrivateKey } from '../keys/private-key.ts';
import { createSigner } from '../keys/signer.ts';
import { issueCertificate, newSerial, validityFor } from './certificate.ts';

/** An authority and a device for tests. */

export const DAY = 86_400_000;
export const NOW = Date.UTC(2026, 5, 1);

export const rootKey = await generatePrivateKey('P-256');
export const rootSigner = createSigner(rootKey);
export const root = decodeCertificate(
  await issueCertificate(
    {
      profile: 'root',
      subjectName: [{ type: 'commonName', value: 'Test Root' }],
      publicKey: rootKey.publicKey,
      serial: newSerial(systemRandom),
      ...validityFor({ now: NOW, lifetimeMs: 7300 * DAY }),
    },
    rootSigner,
  ),
);
export const deviceKey = await generatePrivateKey('P-256');
export const deviceSigner = createSigner(deviceKey);

export function deviceInput(issuer: Certificate = root) {
  return {
    profile: 'device-ldevid' as const,
    issuer,
    subjectName: [{ type: 'commonName' as const, value: 'device-1' }],
    publicKey: deviceKey.publicKey,
    serial: newSerial(systemRandom),
    ...validityFor({ now: NOW, lifetimeMs: 90 * DAY, issuer: issuer.validity }),
  };
}
