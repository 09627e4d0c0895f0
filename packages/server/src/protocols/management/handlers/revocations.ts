import { type Clock, HoldfastError } from '@holdfast/kernel';
import type { MassRevocation, Revocation } from '@holdfast/trust/identity';
import type { CertificateRepository } from '@holdfast/trust/ports';
import type { ManagementHandlers } from '../handler-types.ts';

export interface RevocationHandlerPorts {
  readonly clock: Clock;
  readonly revocation: Revocation;
  readonly certificates: Pick<CertificateRepository, 'find'>;
  readonly massRevocation: MassRevocation;
  /** Ends the sessions of one certificate; the answer is how many there were. */
  readonly cutCertificate: (fingerprint: string) => number;
}

type RevocationOperation = 'certificates.revoke' | 'revocations.preview' | 'revocations.run';

export function revocationHandlers(ports: RevocationHandlerPorts): Pick<ManagementHandlers, RevocationOperation> {
  const { clock, massRevocation, revocation } = ports;
  return {
    'certificates.revoke': async ({ certificate, body }, { principal }) => {
      const startedAt = clock.monotonicMs();
      const known = await ports.certificates.find(certificate);
      if (known?.tenant !== principal.tenant) throw new HoldfastError('identity.no_such_certificate');
      const outcome = await revocation.certificate(principal, certificate, body.reason);
      return {
        kind: outcome.kind,
        certificates: outcome.certificates.length,
        sessionsCut: ports.cutCertificate(certificate),
        elapsedMs: clock.monotonicMs() - startedAt,
      };
    },
    'revocations.preview': ({ body }, { principal }) => massRevocation.preview(principal, body.target),
    'revocations.run': async ({ body }, { principal }) => {
      const startedAt = clock.monotonicMs();
      const outcome = await massRevocation.run(principal, body.target, body);
      return { ...outcome, elapsedMs: clock.monotonicMs() - startedAt };
    },
  };
}
