import type { ImportDevice, ImportResult, RegistryRow } from '@holdfast/api';
import { fingerprint } from '@holdfast/crypto';
import { decodeBase64, encodeBase64, formatRfc3339 } from '@holdfast/kernel';
import {
  type Claims,
  type EnrollmentDoor,
  type ImportOutcome,
  type ImportRow,
  isLive,
  type Registry,
  type RegistryImport,
} from '@holdfast/trust/identity';
import type { CertificateRepository, DeviceRecord, DeviceRepository } from '@holdfast/trust/ports';
import { actorOf } from '@holdfast/trust/principal';
import { decodeCertificate } from '@holdfast/wire/x509';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';

export interface RegistryHandlerPorts {
  readonly enrollment: Pick<EnrollmentDoor, 'enrollDirect'>;
  readonly claims: Pick<Claims, 'show'>;
  readonly devices: Pick<DeviceRepository, 'find'>;
  /** PEM of a device certificate and its issuers up to the root. */
  readonly chainPem: (certificateDer: Uint8Array) => string;
  readonly registry: Registry;
  readonly registryImport: RegistryImport;
  readonly certificates: Pick<CertificateRepository, 'ofDevice'>;
}

/** Rows in work at once: enough for the writer to commit many together. */
const AT_ONCE = 64;

export function registryHandlers(
  ports: RegistryHandlerPorts,
): Pick<ManagementHandlers, 'devices.enroll' | 'registry.export' | 'registry.import'> {
  const { registry, registryImport, certificates, claims, devices, enrollment } = ports;
  const rowOf = async (device: DeviceRecord): Promise<RegistryRow> => {
    const attached = await certificates.ofDevice(device.tenant, device.deviceId);
    const { ueid, attestationAnchor } = device;
    return {
      id: device.deviceId,
      serial: device.serialNumber,
      product: device.product,
      hardwareRevision: device.hardwareRevision,
      state: device.state,
      groups: [...(await registry.groups(device.tenant, device.deviceId))],
      attributes: device.attributes,
      ...(ueid === undefined ? {} : { ueid }),
      ...(attestationAnchor === undefined ? {} : { attestationAnchor: encodeBase64(attestationAnchor) }),
      certificates: attached.filter(isLive).map(({ fingerprint }) => fingerprint),
      createdAt: formatRfc3339(device.createdAt),
    };
  };

  return {
    'devices.enroll': async ({ device: id, body }, { principal }) => {
      const { tenant } = principal;
      const claim = await claims.show(tenant, body.claim);
      const known = await devices.find(tenant, id);
      const enrolled = await enrollment.enrollDirect(
        { kind: 'claim', tenant, claimId: claim.claimId, fingerprint: claim.fingerprint },
        decodeBase64(body.csr, 'csr'),
        {
          connectionId: 'station',
          remoteAddress: principal.via,
          door: 'station',
          station: {
            serialNumber: known?.serialNumber ?? id,
            keyOrigin: body.keyOrigin,
            operator: actorOf(principal),
          },
        },
      );
      const { certificateDer } = enrolled;
      return {
        id: enrolled.deviceId,
        fingerprint: fingerprint(certificateDer),
        notAfter: formatRfc3339(decodeCertificate(certificateDer).validity.notAfter),
        chainPem: ports.chainPem(certificateDer),
      };
    },
    'registry.export': async ({ query }, { principal }) => {
      const { after, limit, ...filter } = query;
      const page = await registry.list(principal.tenant, filter, { after, limit });
      return pageOf(await Promise.all(page.rows.map(rowOf)), page.next);
    },
    'registry.import': async ({ body }, { principal, role }) => {
      const from = role === 'factory' ? 'factory' : 'operator';
      const results: ImportResult[] = [];
      for (let at = 0; at < body.rows.length; at += AT_ONCE) {
        const rows = body.rows.slice(at, at + AT_ONCE).map(importRow);
        const outcomes = await Promise.all(
          rows.map((row) =>
            body.apply ? registryImport.apply(principal, row, from) : registryImport.check(principal, row, from),
          ),
        );
        results.push(...outcomes.map(resultOf));
      }
      return { results };
    },
  };
}

function importRow({ id, serial, attestationAnchor, createdAt: _elsewhere, ...rest }: ImportDevice): ImportRow {
  return {
    ...rest,
    deviceId: id,
    serialNumber: serial,
    attestationAnchor:
      attestationAnchor === undefined ? undefined : decodeBase64(attestationAnchor, 'attestationAnchor'),
  };
}

function resultOf(outcome: ImportOutcome): ImportResult {
  const { deviceId: id, kind } = outcome;
  if (kind !== 'refused') return { id, outcome: kind };
  const { code, details } = outcome.error;
  const rule = details['rule'] ?? details['field'];
  return { id, outcome: kind, code, ...(typeof rule === 'string' ? { rule } : {}) };
}
