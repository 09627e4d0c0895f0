import type { Status } from '@holdfast/api';
import type { ManagementHandlers } from '../handler-types.ts';
import { type AuditReader, auditHandlers } from './audit.ts';
import { type AuthorityHandlerPorts, authorityHandlers } from './authority.ts';
import { type ClaimHandlerPorts, claimHandlers } from './claims.ts';
import { type CommunicationHandlerPorts, communicationHandlers } from './communication.ts';
import { type DeviceHandlerPorts, deviceHandlers } from './devices.ts';
import { type EnrollmentHandlerPorts, enrollmentHandlers } from './enrollments.ts';
import { type OperatorHandlerPorts, operatorHandlers } from './operators.ts';
import { type ProductHandlerPorts, productHandlers } from './products.ts';
import { type RegistryHandlerPorts, registryHandlers } from './registry.ts';
import { type RenewalHandlerPorts, renewalHandlers } from './renewals.ts';
import { type RevocationHandlerPorts, revocationHandlers } from './revocations.ts';
import { type ShadowHandlerPorts, shadowHandlers } from './shadows.ts';
import { type SinkHandlerPorts, sinkHandlers } from './sinks.ts';
import { type ManufacturerHandlerPorts, manufacturerHandlers } from './manufacturers.ts';
import { type TpmHandlerPorts, tpmHandlers } from './tpms.ts';
import { type TemplateHandlerPorts, templateHandlers } from './templates.ts';
import { type UpdateHandlerPorts, updateHandlers } from './updates.ts';

export type ManagementServices = DeviceHandlerPorts &
  ProductHandlerPorts &
  AuthorityHandlerPorts &
  OperatorHandlerPorts &
  RegistryHandlerPorts &
  RevocationHandlerPorts &
  RenewalHandlerPorts &
  ClaimHandlerPorts &
  TemplateHandlerPorts &
  ManufacturerHandlerPorts &
  EnrollmentHandlerPorts &
  TpmHandlerPorts &
  CommunicationHandlerPorts &
  ShadowHandlerPorts &
  SinkHandlerPorts &
  UpdateHandlerPorts & {
    readonly audit: AuditReader;
    readonly status: () => Promise<Status>;
  };

/** The whole table of handlers, one file a resource. */
export function managementHandlers(services: ManagementServices): ManagementHandlers {
  return {
    'status.show': () => services.status(),
    ...deviceHandlers(services),
    ...productHandlers(services),
    ...authorityHandlers(services),
    ...operatorHandlers(services),
    ...registryHandlers(services),
    ...revocationHandlers(services),
    ...renewalHandlers(services),
    ...claimHandlers(services),
    ...templateHandlers(services),
    ...manufacturerHandlers(services),
    ...enrollmentHandlers(services),
    ...tpmHandlers(services),
    ...communicationHandlers(services),
    ...shadowHandlers(services),
    ...sinkHandlers(services),
    ...updateHandlers(services),
    ...auditHandlers(services.audit),
  };
}
