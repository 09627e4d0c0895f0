import { HoldfastError } from '@holdfast/kernel';
import type { CertificateRecord } from '@holdfast/trust/ports';
import { expect, it } from 'vitest';
import { publishRegistered } from './registration-events.ts';

const EVENT = { name: 'certificate.registered', tenant: 'default', subject: 'aa', at: 0 } as const;
const CERTIFICATE = { fingerprint: 'aa', issuer: 'bb', issuedAt: 0 } as CertificateRecord;

it('hands over to the event log what could not be told, instead of leaving it to the process', async () => {
  const away = new HoldfastError('store.unavailable');
  const ports = {
    certificates: { find: () => Promise.resolve(CERTIFICATE) },
    publisher: { publish: () => Promise.reject(away) },
    account: '000000000000',
  };
  await expect(publishRegistered(ports, EVENT)).rejects.toBe(away);
});
