import type { CertificateRepository, StoredEvent } from '@holdfast/trust/ports';
import { certificateRegisteredTopic, encodeCertificateRegistered } from '@holdfast/wire/aws-iot';
import type { TopicPublisher } from './topic-publisher.ts';

export interface RegistrationEventsPorts {
  readonly certificates: Pick<CertificateRepository, 'find'>;
  readonly publisher: Pick<TopicPublisher, 'publish'>;
  /** AWS account id of the tenant's ARNs. */
  readonly account: string;
}

/** Tells subscribers of a certificate that waits to be activated. @see AWS IoT developer guide, "JITR" */
export async function publishRegistered(
  { certificates, publisher, account }: RegistrationEventsPorts,
  event: Pick<StoredEvent, 'name' | 'tenant' | 'subject' | 'at'>,
): Promise<void> {
  if (event.name !== 'certificate.registered') return;
  const certificate = await certificates.find(event.subject);
  if (certificate === undefined) return;
  await publisher.publish(
    event.tenant,
    certificateRegisteredTopic(certificate.issuer),
    encodeCertificateRegistered({
      certificateId: certificate.fingerprint,
      caCertificateId: certificate.issuer,
      at: event.at,
      registeredAt: certificate.issuedAt,
      account,
    }),
  );
}
