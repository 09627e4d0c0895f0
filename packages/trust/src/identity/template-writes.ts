import type {
  CertificateHoldRepository,
  DeviceChange,
  DeviceRecord,
  DeviceRepository,
  PolicyRepository,
  Tenant,
  Write,
} from '../ports/index.ts';
import { DEVICE_LIFECYCLE } from './lifecycle.ts';
import type { TemplatePlan } from './template-plan.ts';

export interface TemplateWritePorts {
  readonly devices: Pick<DeviceRepository, 'joining' | 'leaving'>;
  readonly policies: Pick<PolicyRepository, 'attaching'>;
  readonly holds: Pick<CertificateHoldRepository, 'holding'>;
}

const HELD = 'registered as inactive by its provisioning template';

/** Whether the template fails for a device that exists: a property it gives has the setting FAIL. */
export function failsForExisting({ overrides, attributes, groups }: TemplatePlan): boolean {
  return (
    (overrides.AttributePayload === 'FAIL' && attributes !== undefined) ||
    (overrides.ThingGroups === 'FAIL' && groups !== undefined) ||
    overrides.ThingTypeName === 'FAIL'
  );
}

/** What a template makes of the record of a device that enrolls now, known before or not. */
export function plannedChange(plan: TemplatePlan, known: DeviceRecord | undefined): DeviceChange {
  const attributes = attributesOf(plan, known?.attributes);
  const held = DEVICE_LIFECYCLE.step('active', 'suspend');
  return {
    ...(attributes === undefined ? {} : { attributes }),
    ...(plan.isActive ? {} : { state: held, stateReason: HELD }),
  };
}

function attributesOf(
  { overrides, attributes }: TemplatePlan,
  known: DeviceRecord['attributes'] | undefined,
): DeviceRecord['attributes'] | undefined {
  if (known === undefined || overrides.AttributePayload === 'REPLACE') return attributes;
  return overrides.AttributePayload === 'MERGE' && attributes ? { ...known, ...attributes } : undefined;
}

/** The rest of what a template makes of a device: groups, policies, and whether an operator has to let it in. */
export function plannedWrites(
  { devices, policies, holds }: TemplateWritePorts,
  plan: TemplatePlan,
  of: {
    readonly tenant: Tenant;
    readonly deviceId: string;
    /** Of a device that was known before. */
    readonly groups: readonly string[] | undefined;
    readonly now: number;
  },
): readonly Write[] {
  const { tenant, deviceId, now } = of;
  const setting = of.groups === undefined ? 'REPLACE' : plan.overrides.ThingGroups;
  const groups = setting === 'DO_NOTHING' ? undefined : plan.groups;
  const leaving = setting === 'REPLACE' && groups ? (of.groups ?? []).filter((group) => !groups.includes(group)) : [];
  return [
    ...leaving.map((group) => devices.leaving(tenant, deviceId, group)),
    ...(groups ?? []).map((group) => devices.joining(tenant, deviceId, group)),
    ...plan.policies.map((name) => policies.attaching(tenant, name, { kind: 'device', id: deviceId })),
    ...(plan.isActive ? [] : [holds.holding(tenant, deviceId, now)]),
  ];
}
