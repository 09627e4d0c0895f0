import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import { type CertificateProfile, decodeCertificate, type GeneralName } from '@holdfast/wire/x509';
import { createSigner, generatePrivateKey, issueCertificate, newSerial, NO_EXPIRY } from '../index.ts';

/** A root and an issuing authority in files that openssl reads; a test file removes the folder when it is done. */

export const DAY = 86_400_000;
export const NOW = systemClock.now();
export const validity = { notBefore: NOW - DAY, notAfter: NOW + 30 * DAY };
export const crlUri = 'http://crl.test/issuing';
const issuingKey = await generatePrivateKey('P-256');
export const [rootKey, leafKey] = await Promise.all([generatePrivateKey('P-256'), generatePrivateKey('P-256')]);
export const issuingSigner = createSigner(issuingKey);

const folder = mkdtempSync(join(tmpdir(), 'holdfast-x509-'));
export const path = (name: string) => join(folder, name);
export const save = (name: string, label: string, ...ders: readonly Uint8Array[]) => {
  writeFileSync(path(name), ders.map((der) => encodePem(label, der)).join(''));
  return path(name);
};
export const openssl = (...args: readonly string[]) =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });

export const root = decodeCertificate(
  await issueCertificate(
    {
      profile: 'root',
      subjectName: [
        { type: 'organization', value: 'Größe & Co' },
        { type: 'commonName', value: 'Root' },
      ],
      publicKey: rootKey.publicKey,
      serial: newSerial(systemRandom),
      notBefore: validity.notBefore,
      notAfter: NO_EXPIRY,
    },
    createSigner(rootKey),
  ),
);
export const issuing = decodeCertificate(
  await issueCertificate(
    {
      profile: 'issuing',
      issuer: root,
      subjectName: [{ type: 'commonName', value: 'Issuing' }],
      publicKey: issuingKey.publicKey,
      serial: newSerial(systemRandom),
      notBefore: validity.notBefore,
      notAfter: NOW + 3650 * DAY,
      nameConstraints: {
        permitted: [
          { kind: 'uri', text: 'acme.test' },
          { kind: 'dns', text: 'acme.test' },
        ],
        excluded: [],
      },
    },
    createSigner(rootKey),
  ),
);
save('root.pem', 'CERTIFICATE', root.raw);
save('issuing.pem', 'CERTIFICATE', issuing.raw);

/** A leaf of a profile under the issuing authority. */
export function issueLeaf(profile: CertificateProfile, san: readonly GeneralName[]): Promise<Uint8Array> {
  return issueCertificate(
    {
      profile,
      issuer: issuing,
      subjectName: [{ type: 'commonName', value: `${profile} 1` }],
      san,
      publicKey: leafKey.publicKey,
      serial: newSerial(systemRandom),
      ...validity,
      crlUris: [crlUri],
      ocspUris: ['http://ocsp.test'],
      issuerUris: ['http://ca.test/issuing.cer'],
    },
    issuingSigner,
  );
}

export function removeFolder(): void {
  rmSync(folder, { recursive: true, force: true });
}
