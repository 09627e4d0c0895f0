import type {
  DeviceChange,
  DeviceFilter,
  DeviceId,
  DeviceRecord,
  DeviceRepository,
  Page,
  PageRequest,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead, defineShapedRead, type Has } from '../read.ts';
import type { Reader } from '../reader.ts';
import type { RowSeal } from '../row-seal.ts';
import { query } from '../schema.ts';
import type { DeviceTable } from '../tables/identity.ts';
import { compileWrite, defineInsert } from '../write.ts';
import { pageOf } from './keyset-page.ts';

const ALTERED = 'its row in the registry was changed outside Holdfast';

/** Above every character of a device name. */
const LAST = '~';

type Place = { readonly tenant: string; readonly deviceId: string };

const insertDevice = defineInsert('devices');

const readDevice = defineRead((arg: ArgumentOf<Place>) =>
  query.selectFrom('devices').selectAll().where('tenant', '=', arg('tenant')).where('device_id', '=', arg('deviceId')),
);

const readBySerial = defineRead((arg: ArgumentOf<{ tenant: string; serialNumber: string }>) =>
  query
    .selectFrom('devices')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('serial_number', '=', arg('serialNumber')),
);

const readGroups = defineRead((arg: ArgumentOf<Place>) =>
  query
    .selectFrom('device_groups')
    .select('group_name')
    .where('tenant', '=', arg('tenant'))
    .where('device_id', '=', arg('deviceId'))
    .orderBy('group_name'),
);

interface PageArgs extends DeviceFilter {
  readonly tenant: string;
  readonly beyond: string | undefined;
  readonly after: string | undefined;
  readonly limit: number;
}

/** Whether a page is one stretch of an index: of a product, or of a state. */
function isSole(has: Has<PageArgs>): boolean {
  return has('product') !== has('state') && !has('group') && !has('claim');
}

/**
 * The ids of a page by the index of its filter. Asked for whole rows SQLite goes through the table instead, to the end
 * of it for what is rare.
 */
function pageByIndex(arg: ArgumentOf<PageArgs>, has: Has<PageArgs>) {
  let ids = query.selectFrom('devices as listed').select('listed.device_id').where('listed.tenant', '=', arg('tenant'));
  if (has('product')) ids = ids.where('listed.product', '=', arg('product'));
  if (has('state')) ids = ids.where('listed.state', '=', arg('state'));
  if (has('after')) ids = ids.where('listed.device_id', '>', arg('after'));
  if (has('prefix')) {
    ids = ids.where('listed.device_id', '>=', arg('prefix')).where('listed.device_id', '<', arg('beyond'));
  }
  return ids.orderBy('listed.device_id').limit(arg('limit'));
}

const readPage = defineShapedRead((arg: ArgumentOf<PageArgs>, has: Has<PageArgs>) => {
  let select = query.selectFrom('devices').selectAll().where('tenant', '=', arg('tenant'));
  if (has('after')) select = select.where('device_id', '>', arg('after'));
  if (has('prefix')) select = select.where('device_id', '>=', arg('prefix')).where('device_id', '<', arg('beyond'));
  if (isSole(has)) return select.where('device_id', 'in', pageByIndex(arg, has)).orderBy('device_id');
  if (has('product')) select = select.where('product', '=', arg('product'));
  if (has('state')) select = select.where('state', '=', arg('state'));
  if (has('claim')) select = select.where('claim_id', '=', arg('claim'));
  if (has('group')) {
    select = select.where('device_id', 'in', (from) =>
      from
        .selectFrom('device_groups')
        .select('device_groups.device_id')
        .where('device_groups.tenant', '=', arg('tenant'))
        .where('group_name', '=', arg('group')),
    );
  }
  return select.orderBy('device_id').limit(arg('limit'));
});

export class SqlDeviceRepository implements DeviceRepository {
  readonly #reader: Reader;
  readonly #seal: RowSeal | undefined;

  constructor(reader: Reader, seal?: RowSeal) {
    this.#reader = reader;
    this.#seal = seal;
  }

  async find(tenant: Tenant, deviceId: DeviceId): Promise<DeviceRecord | undefined> {
    const row = await this.#reader.first(readDevice({ tenant, deviceId }));
    return row && this.#fromRow(row);
  }

  async findBySerial(tenant: Tenant, serialNumber: string): Promise<DeviceRecord | undefined> {
    const row = await this.#reader.first(readBySerial({ tenant, serialNumber }));
    return row && this.#fromRow(row);
  }

  async list(tenant: Tenant, filter: DeviceFilter, page: PageRequest): Promise<Page<DeviceRecord>> {
    const prefix = filter.prefix === '' ? undefined : filter.prefix;
    const beyond = prefix === undefined ? undefined : prefix + LAST;
    const rows = await this.#reader.all(
      readPage({ ...filter, tenant, prefix, beyond, after: page.after, limit: page.limit + 1 }),
    );
    return pageOf(
      rows.map((row) => this.#fromRow(row)),
      page,
      ({ deviceId }) => deviceId,
    );
  }

  async groupsOf(tenant: Tenant, deviceId: DeviceId): Promise<readonly string[]> {
    const rows = await this.#reader.all(readGroups({ tenant, deviceId }));
    return rows.map(({ group_name }) => group_name);
  }

  inserting(device: DeviceRecord): Write {
    return insertDevice(this.#toRow(device));
  }

  changing(from: DeviceRecord, change: DeviceChange): Write {
    const to = { ...from, ...change, revision: from.revision + 1 };
    const { tenant: _tenant, device_id: _deviceId, ...columns } = this.#toRow(to);
    return compileWrite(
      query
        .updateTable('devices')
        .set(columns)
        .where('tenant', '=', from.tenant)
        .where('device_id', '=', from.deviceId)
        .where('revision', '=', from.revision),
      { expectRows: 1 },
    );
  }

  #toRow(device: DeviceRecord): DeviceTable {
    const row = columnsOf(device);
    return { ...row, mac: this.#seal?.seal('device', row) ?? null };
  }

  /** A row that somebody else wrote holds its device back until an operator decided. */
  #fromRow(row: DeviceTable): DeviceRecord {
    const device = fromRow(row);
    if (this.#seal?.holds('device', row) !== false) return device;
    return { ...device, state: 'quarantined', stateReason: ALTERED };
  }

  joining(tenant: Tenant, deviceId: DeviceId, group: string): Write {
    return compileWrite(
      query
        .insertInto('device_groups')
        .values({ tenant, group_name: group, device_id: deviceId })
        .onConflict((oc) => oc.columns(['tenant', 'group_name', 'device_id']).doNothing()),
    );
  }

  leaving(tenant: Tenant, deviceId: DeviceId, group: string): Write {
    return compileWrite(
      query
        .deleteFrom('device_groups')
        .where('tenant', '=', tenant)
        .where('group_name', '=', group)
        .where('device_id', '=', deviceId),
    );
  }
}

function columnsOf(device: DeviceRecord): Omit<DeviceTable, 'mac'> {
  return {
    tenant: device.tenant,
    device_id: device.deviceId,
    product: device.product,
    serial_number: device.serialNumber,
    hardware_revision: device.hardwareRevision,
    state: device.state,
    state_reason: device.stateReason ?? null,
    attributes: JSON.stringify(device.attributes),
    ueid: device.ueid ?? null,
    attestation_anchor: device.attestationAnchor ?? null,
    claim_id: device.claimId ?? null,
    created_at: device.createdAt,
    enrolled_at: device.enrolledAt ?? null,
    revision: device.revision,
  };
}

function fromRow(row: DeviceTable): DeviceRecord {
  return {
    tenant: row.tenant,
    deviceId: row.device_id,
    product: row.product,
    serialNumber: row.serial_number,
    hardwareRevision: row.hardware_revision,
    state: row.state as DeviceRecord['state'],
    stateReason: row.state_reason ?? undefined,
    attributes: JSON.parse(row.attributes) as DeviceRecord['attributes'],
    ueid: row.ueid ?? undefined,
    attestationAnchor: row.attestation_anchor ?? undefined,
    claimId: row.claim_id ?? undefined,
    createdAt: row.created_at,
    enrolledAt: row.enrolled_at ?? undefined,
    revision: row.revision,
  };
}
