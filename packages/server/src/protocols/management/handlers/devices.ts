import { type Clock, decodeBase64, encodeHex, formatRfc3339 } from '@holdfast/kernel';
import type { Decommission, Registry, Revocation } from '@holdfast/trust/identity';
import type { CertificateRepository, DeviceId, DeviceRecord, Presence, Tenant } from '@holdfast/trust/ports';
import type { Postures } from '@holdfast/trust/posture';
import type { ControlJobs } from '@holdfast/trust/update';
import type { ManagementHandlers } from '../handler-types.ts';
import type { AuditReader } from './audit.ts';
import { pageOf } from './page.ts';
import { type DeviceFacts, viewAuditEntry, viewDevice, viewDeviceDetail, viewExecution } from './views.ts';

export interface DeviceHandlerPorts {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly revocation: Revocation;
  readonly decommission: Decommission;
  readonly certificates: Pick<CertificateRepository, 'ofDevice'>;
  readonly postures: Pick<Postures, 'describe'>;
  readonly presence: { of(tenant: Tenant, deviceId: DeviceId): readonly Presence[] };
  readonly jobs: Pick<ControlJobs, 'executionsOfDevice' | 'cancelAllOf'>;
  readonly audit: AuditReader;
  /** PEM of a device certificate and its issuers up to the root. */
  readonly chainPem: (certificateDer: Uint8Array) => string;
  /** Cuts what a device has open; how many sessions that were. */
  readonly cut: (tenant: Tenant, deviceId: DeviceId) => Promise<number>;
}

type DeviceOperation =
  | 'devices.create'
  | 'devices.list'
  | 'devices.show'
  | 'devices.timeline'
  | 'devices.executions'
  | 'devices.groups'
  | 'devices.revoke'
  | 'devices.attributes'
  | 'devices.archive'
  | 'devices.destruction-challenge'
  | 'devices.decommission'
  | 'devices.suspend'
  | 'devices.readmit';

export function deviceHandlers(ports: DeviceHandlerPorts): Pick<ManagementHandlers, DeviceOperation> {
  const { registry, revocation, jobs, clock, audit } = ports;
  const factsOf = async (device: DeviceRecord): Promise<DeviceFacts> => ({
    device,
    groups: await registry.groups(device.tenant, device.deviceId),
    posture: await ports.postures.describe(device),
    presences: ports.presence.of(device.tenant, device.deviceId),
  });
  const viewOf = async (device: DeviceRecord) => viewDevice(await factsOf(device));

  return {
    'devices.create': async ({ body }, { principal }) => {
      const { id, serial, attestationAnchor, ueid, ...rest } = body;
      const device = await registry.establish(principal, {
        ...rest,
        deviceId: id,
        serialNumber: serial,
        ...(ueid === undefined ? {} : { ueid }),
        ...(attestationAnchor === undefined
          ? {}
          : { attestationAnchor: decodeBase64(attestationAnchor, 'attestationAnchor') }),
      });
      return viewOf(device);
    },
    'devices.list': async ({ query }, { principal }) => {
      const { after, limit, ...filter } = query;
      const page = await registry.list(principal.tenant, filter, { after, limit });
      return pageOf(await Promise.all(page.rows.map(viewOf)), page.next);
    },
    'devices.show': async ({ device: id }, { principal }) => {
      const device = await registry.show(principal.tenant, id);
      const certificates = await ports.certificates.ofDevice(principal.tenant, id);
      const current = certificates.find(({ state }) => state === 'active');
      const chainPem = current === undefined ? undefined : ports.chainPem(current.der);
      return viewDeviceDetail(await factsOf(device), certificates, chainPem, clock.now());
    },
    'devices.timeline': async ({ device, query }, { principal }) => {
      await registry.show(principal.tenant, device);
      const page = await audit.list(principal.tenant, { subject: device }, query);
      return pageOf(page.rows.map(viewAuditEntry), page.next);
    },
    'devices.executions': async ({ device, query }, { principal }) => {
      await registry.show(principal.tenant, device);
      const page = await jobs.executionsOfDevice(principal.tenant, device, query);
      return pageOf(page.rows.map(viewExecution), page.next);
    },
    'devices.groups': async ({ device, body }, { principal }) => {
      await registry.setGroups(principal, device, body.groups);
      return viewOf(await registry.show(principal.tenant, device));
    },
    'devices.attributes': async ({ device, body }, { principal }) =>
      viewOf(await registry.setAttributes(principal, device, body.attributes)),
    'devices.archive': async ({ device }, { principal }) => viewOf(await registry.archive(principal, device)),
    'devices.destruction-challenge': async ({ device }, { principal }) => {
      const { bytes, until } = await ports.decommission.challenge(principal.tenant, device);
      return { challenge: encodeHex(bytes), until: formatRfc3339(until) };
    },
    'devices.decommission': async ({ device, body }, { principal }) => {
      const statement = decodeBase64(body.statement, 'statement');
      const signature = decodeBase64(body.signature, 'signature');
      return viewOf(await ports.decommission.complete(principal, device, { statement, signature }));
    },
    'devices.revoke': async ({ device, body }, { principal }) => {
      const startedAt = clock.monotonicMs();
      const outcome = await revocation.device(principal, device, body.reason);
      const sessionsCut = await ports.cut(principal.tenant, device);
      await jobs.cancelAllOf(principal.tenant, device, 'device revoked');
      return {
        kind: outcome.kind,
        certificates: outcome.certificates.length,
        sessionsCut,
        elapsedMs: clock.monotonicMs() - startedAt,
      };
    },
    'devices.suspend': async ({ device }, { principal }) => viewOf(await registry.suspend(principal, device)),
    'devices.readmit': async ({ device }, { principal }) => viewOf(await registry.readmit(principal, device)),
  };
}
