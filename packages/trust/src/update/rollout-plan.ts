import type {
  DeviceId,
  DeviceRecord,
  DeviceRepository,
  PostureRepository,
  ProductRecord,
  ReleaseRecord,
  RolloutTarget,
  Tenant,
} from '../ports/index.ts';
import { type Assignment, judgeAssignment } from './assignment.ts';

export interface PlanPorts {
  readonly devices: DeviceRepository;
  readonly postures: PostureRepository;
}

export interface PlannedDevice {
  readonly deviceId: DeviceId;
  readonly assignment: Assignment;
}

export interface PlanPage {
  readonly devices: readonly PlannedDevice[];
  /** Where the next page starts; undefined when this is the last. */
  readonly next: string | undefined;
}

export interface PlanWish {
  readonly tenant: Tenant;
  readonly target: RolloutTarget;
  readonly release: ReleaseRecord;
  readonly product: ProductRecord;
}

const PAGE = 500;

/** Judges the devices of a target, one page in order of device id. */
export async function planPage(ports: PlanPorts, wish: PlanWish, after: string | undefined): Promise<PlanPage> {
  const page = await targetPage(ports, wish, after);
  const devices: PlannedDevice[] = [];
  for (const { deviceId, device } of page.rows) {
    const evidence = (await ports.postures.find(wish.tenant, deviceId))?.evidence;
    devices.push({ deviceId, assignment: judgeAssignment({ ...wish, device, evidence }) });
  }
  return { devices, next: page.next };
}

interface TargetPage {
  readonly rows: readonly { readonly deviceId: DeviceId; readonly device: DeviceRecord | undefined }[];
  readonly next: string | undefined;
}

async function targetPage(ports: PlanPorts, wish: PlanWish, after: string | undefined): Promise<TargetPage> {
  const { tenant, target } = wish;
  if (target.kind === 'group') {
    const page = await ports.devices.list(tenant, { group: target.group }, { after, limit: PAGE });
    return { rows: page.rows.map((device) => ({ deviceId: device.deviceId, device })), next: page.next };
  }
  const all = [...new Set(target.deviceIds)].sort();
  const left = after === undefined ? all : all.filter((deviceId) => deviceId > after);
  const asked = left.slice(0, PAGE);
  const rows = [];
  for (const deviceId of asked) rows.push({ deviceId, device: await ports.devices.find(tenant, deviceId) });
  return { rows, next: left.length > PAGE ? asked.at(-1) : undefined };
}
