import type { ImportDevice, ImportResult, RegistryRow } from '@holdfast/api';
import { decodeBase64, encodeBase64, formatRfc3339 } from '@holdfast/kernel';
import {
  type ImportOutcome,
  type ImportRow,
  isLive,
  type Registry,
  type RegistryImport,
} from '@holdfast/trust/identity';
import type { CertificateRepository, DeviceRecord } from '@holdfast/trust/ports';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';

export interface RegistryHandlerPorts {
  readonly registry: Registry;
  readonly registryImport: RegistryImport;
  readonly certificates: Pick<CertificateRepository, 'ofDevice'>;
}

/** Rows in work at once: enough for the writer to commit many together. */
const AT_ONCE = 64;

export function registryHandlers(
  ports: RegistryHandlerPorts,
): Pick<ManagementHandlers, 'registry.export' | 'registry.import'> {
  const { registry, registryImport, certificates } = ports;
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
    'registry.export': async ({ query }, { principal }) => {
      const { after, limit, ...filter } = query;
      const page = await registry.list(principal.tenant, filter, { after, limit });
      return pageOf(await Promise.all(page.rows.map(rowOf)), page.next);
    },
    'registry.import': async ({ body }, { principal }) => {
      const results: ImportResult[] = [];
      for (let at = 0; at < body.rows.length; at += AT_ONCE) {
        const rows = body.rows.slice(at, at + AT_ONCE).map(importRow);
        const outcomes = await Promise.all(
          rows.map((row) => (body.apply ? registryImport.apply(principal, row) : registryImport.check(principal, row))),
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
