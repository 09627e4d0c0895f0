import { formatRfc3339 } from '@holdfast/kernel';
import type { Shadow } from '@holdfast/api';
import type { ShadowKey, Shadows } from '@holdfast/trust/communication';
import type { Registry } from '@holdfast/trust/identity';
import { readShadowUpdate } from '@holdfast/wire/aws-iot';
import { stateWithDelta } from '../../aws-iot/index.ts';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';

export interface ShadowHandlerPorts {
  readonly shadows: Shadows;
  readonly registry: Pick<Registry, 'show'>;
}

type ShadowOperation = 'shadows.list' | 'shadows.show' | 'shadows.update' | 'shadows.delete';

export function shadowHandlers({ registry, shadows }: ShadowHandlerPorts): Pick<ManagementHandlers, ShadowOperation> {
  return {
    'shadows.list': async ({ device, query }, { principal }) => {
      const { tenant, deviceId } = await registry.show(principal.tenant, device);
      const page = await shadows.list({ tenant, deviceId }, query);
      return pageOf([...page.rows], page.next);
    },
    'shadows.show': async ({ device, query }, { principal }) =>
      viewShadow(shadows, { tenant: principal.tenant, deviceId: device, name: query.name }),
    'shadows.update': async ({ device, query, body }, { principal }) => {
      const key = { tenant: principal.tenant, deviceId: device, name: query.name };
      const { version, ...state } = body;
      await shadows.update(
        key,
        readShadowUpdate(new Map<string, unknown>(Object.entries({ state, version }))),
        principal,
      );
      return viewShadow(shadows, key);
    },
    'shadows.delete': async ({ device, query }, { principal }) => {
      await shadows.delete({ tenant: principal.tenant, deviceId: device, name: query.name }, undefined, principal);
      return {};
    },
  };
}

async function viewShadow(shadows: Shadows, key: ShadowKey): Promise<Shadow> {
  const { state, metadata, delta, version, changedAt } = await shadows.get(key);
  return {
    device: key.deviceId,
    ...(key.name === undefined ? {} : { name: key.name }),
    state: stateWithDelta(state, delta),
    metadata,
    version,
    changedAt: formatRfc3339(changedAt),
  } as Shadow;
}
