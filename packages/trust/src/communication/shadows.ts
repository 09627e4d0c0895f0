import { type Clock, decodeUtf8, encodeUtf8, type EpochMs, HoldfastError } from '@holdfast/kernel';
import { SHADOW_NAME, type ShadowUpdateRequest } from '@holdfast/wire/aws-iot';
import type {
  AuditLog,
  DeviceId,
  DeviceRepository,
  Page,
  PageRequest,
  SealedPlace,
  SealedRecord,
  SealedRepository,
  ShadowRecord,
  ShadowRepository,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';
import {
  acceptedPart,
  deltaOf,
  EMPTY_DOCUMENT,
  mergeShadow,
  type ShadowDelta,
  type ShadowDocument,
  sizeOfState,
} from './shadow-document.ts';

/** Seals what a shadow says: it is data of a device. */
interface ShadowSealer {
  seal(place: SealedPlace, plaintext: Uint8Array): Promise<Pick<SealedRecord, 'sealed' | 'keyVersion'>>;
  open(place: SealedPlace, sealed: Uint8Array): Promise<Uint8Array>;
}

export interface ShadowsPorts {
  readonly shadows: ShadowRepository;
  readonly sealedRecords: Pick<SealedRepository, 'find' | 'inserting' | 'deletingAll'>;
  readonly fields: ShadowSealer;
  readonly devices: Pick<DeviceRepository, 'find'>;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

/** Whose shadow; `name` is undefined for the classic one. */
export interface ShadowKey {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly name: string | undefined;
}

/** A shadow as it stands. */
export interface ShadowView extends ShadowDocument {
  readonly version: number;
  readonly changedAt: EpochMs;
  readonly delta: ShadowDelta | undefined;
}

/** What an update did: everything its doors and its listeners tell. */
export interface ShadowUpdated {
  readonly kind: 'updated';
  readonly key: ShadowKey;
  readonly accepted: ReturnType<typeof acceptedPart>;
  readonly delta: ShadowDelta | undefined;
  readonly previous: ShadowDocument & { readonly version: number };
  readonly current: ShadowDocument & { readonly version: number };
  readonly at: EpochMs;
  readonly clientToken: string | undefined;
}

export interface ShadowDeleted {
  readonly kind: 'deleted';
  readonly key: ShadowKey;
  /** Of the shadow that is gone. */
  readonly version: number;
  readonly at: EpochMs;
  readonly clientToken: string | undefined;
}

/** Hears every committed change, whichever door it came by, before the caller does. */
export type ShadowListener = (change: ShadowUpdated | ShadowDeleted) => Promise<void> | void;

interface Found {
  readonly record: ShadowRecord | undefined;
  readonly document: ShadowDocument;
}

/** AWS IoT Core quotas, "Maximum size of a JSON state document". */
const MAX_STATE_BYTES = 8192;
/** Ours: AWS states none. Deleted ones count until they are forgotten. */
const MAX_SHADOWS = 64;
/** The version of a deleted shadow goes on if it comes back within this time. */
const REMEMBERED_MS = 48 * 3_600_000;
/** Others may write the same shadow at the same time. */
const ATTEMPTS = 5;
const KIND = 'shadow';

/**
 * Device shadows, classic and named: what a device shall be and what it says it is.
 *
 * The caller has asked the policy; nothing here depends on who asks.
 *
 * @see AWS IoT developer guide, "AWS IoT Device Shadow service"
 */
export class Shadows {
  readonly #ports: ShadowsPorts;
  readonly #listeners = new Set<ShadowListener>();

  constructor(ports: ShadowsPorts) {
    this.#ports = ports;
  }

  onChange(listener: ShadowListener): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  /** @throws `communication.shadow_unknown`, `communication.shadow_name` */
  async get(key: ShadowKey): Promise<ShadowView> {
    const { record, document } = await this.#read(key);
    if (record === undefined || record.deleted) throw new HoldfastError('communication.shadow_unknown');
    return { ...document, version: record.version, changedAt: record.changedAt, delta: deltaOf(document) };
  }

  /**
   * Merges an update in and tells the listeners.
   *
   * @param by - an operator, whose act the audit log keeps; a device's own is none.
   * @throws `communication.shadow_conflict` when `request.version` is not the one in force;
   * `communication.shadow_too_large` over 8 KB of state; `communication.too_many_shadows`; `identity.unknown_device`.
   */
  async update(key: ShadowKey, request: ShadowUpdateRequest, by?: OperatorPrincipal): Promise<ShadowUpdated> {
    const { clientToken, state, version } = request;
    const { at, previous, current } = await this.#committing(key, async (found) => {
      await this.#mayBe(key, found.record);
      checkVersion(version, found.record);
      const now = this.#ports.clock.now();
      const merged = mergeShadow(found.document, state, secondsOf(now));
      const bytes = sizeOfState(merged.state);
      if (bytes > MAX_STATE_BYTES) throw new HoldfastError('communication.shadow_too_large', { bytes });
      const next = nextOf(key, found.record, { at: now, deleted: false });
      const writes = [...(await this.#saving(found.record, next, merged)), ...this.#entry('updated', next, by)];
      const before = { ...found.document, version: found.record?.version ?? 0 };
      return { writes, done: { at: now, previous: before, current: { ...merged, version: next.version } } };
    });
    const updated: ShadowUpdated = {
      kind: 'updated',
      key,
      accepted: acceptedPart(state, secondsOf(at)),
      delta: deltaOf(current),
      previous,
      current,
      at,
      clientToken,
    };
    await this.#tell(updated);
    return updated;
  }

  /** @throws `communication.shadow_unknown` */
  async delete(key: ShadowKey, clientToken?: string, by?: OperatorPrincipal): Promise<ShadowDeleted> {
    const deleted = await this.#committing(key, async ({ record }) => {
      if (record === undefined || record.deleted) throw new HoldfastError('communication.shadow_unknown');
      const at = this.#ports.clock.now();
      const next = nextOf(key, record, { at, deleted: true });
      const writes = [...(await this.#saving(record, next, undefined)), ...this.#entry('deleted', next, by)];
      return { writes, done: { kind: 'deleted', key, version: record.version, at, clientToken } as const };
    });
    await this.#tell(deleted);
    return deleted;
  }

  /** Names of the named shadows, in order. */
  list({ tenant, deviceId }: Pick<ShadowKey, 'tenant' | 'deviceId'>, page: PageRequest): Promise<Page<string>> {
    return this.#ports.shadows.names(tenant, deviceId, page);
  }

  async #tell(change: ShadowUpdated | ShadowDeleted): Promise<void> {
    for (const listener of this.#listeners) await listener(change);
  }

  /** Reads, decides and commits; again when somebody else was faster. */
  async #committing<Done>(
    key: ShadowKey,
    decide: (found: Found) => Promise<{ readonly writes: readonly Write[]; readonly done: Done }>,
  ): Promise<Done> {
    for (let attempt = 1; ; attempt++) {
      const { writes, done } = await decide(await this.#read(key));
      try {
        await this.#ports.store.commit(writes);
        return done;
      } catch (error) {
        const isRace = HoldfastError.is(error) && error.code === 'store.conflict';
        if (!isRace || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async #read(key: ShadowKey): Promise<Found> {
    if (key.name !== undefined && !SHADOW_NAME.test(key.name)) throw new HoldfastError('communication.shadow_name');
    for (let attempt = 1; ; attempt++) {
      const { fields, sealedRecords, shadows } = this.#ports;
      const record = await shadows.find(key.tenant, key.deviceId, key.name ?? '');
      if (record === undefined || record.deleted) return { record, document: EMPTY_DOCUMENT };
      const place = placeOf(record);
      const stored = await sealedRecords.find(place);
      if (stored !== undefined) {
        const text = decodeUtf8(await fields.open(place, stored.sealed), 'shadow');
        return { record, document: JSON.parse(text) as ShadowDocument };
      }
      // Between the two reads somebody changed it.
      if (attempt === ATTEMPTS) throw new HoldfastError('store.conflict');
    }
  }

  /** A shadow that does not exist yet may: the device does, and has room. */
  async #mayBe({ tenant, deviceId }: ShadowKey, record: ShadowRecord | undefined): Promise<void> {
    if (record !== undefined) return;
    const { clock, devices, shadows, store } = this.#ports;
    if ((await devices.find(tenant, deviceId)) === undefined) throw new HoldfastError('identity.unknown_device');
    if ((await shadows.count(tenant, deviceId)) < MAX_SHADOWS) return;
    await store.commit([shadows.forgetting(tenant, deviceId, clock.now() - REMEMBERED_MS)]);
    if ((await shadows.count(tenant, deviceId)) < MAX_SHADOWS) return;
    throw new HoldfastError('communication.too_many_shadows', { limit: MAX_SHADOWS });
  }

  #entry(done: 'updated' | 'deleted', shadow: ShadowRecord, by: OperatorPrincipal | undefined): readonly Write[] {
    if (by === undefined) return [];
    const { tenant, deviceId, name, version } = shadow;
    const details = { shadow: name, version };
    return [
      this.#ports.audit.entry({ tenant, actor: actorOf(by), action: `shadow.${done}`, subject: deviceId, details }),
    ];
  }

  async #saving(
    from: ShadowRecord | undefined,
    to: ShadowRecord,
    document: ShadowDocument | undefined,
  ): Promise<readonly Write[]> {
    const { fields, sealedRecords, shadows } = this.#ports;
    const place = placeOf(to);
    const row = from === undefined ? shadows.inserting(to) : shadows.changing(from, to);
    const emptied = sealedRecords.deletingAll(place.tenant, place.kind, place.id);
    if (document === undefined) return [row, emptied];
    const sealing = await fields.seal(place, encodeUtf8(JSON.stringify(document)));
    return [row, emptied, sealedRecords.inserting({ ...place, ...sealing, createdAt: to.changedAt })];
  }
}

function checkVersion(asked: number | undefined, record: ShadowRecord | undefined): void {
  const version = record?.version ?? 0;
  if (asked !== undefined && asked !== version) throw new HoldfastError('communication.shadow_conflict', { version });
}

function nextOf(
  { tenant, deviceId, name = '' }: ShadowKey,
  from: ShadowRecord | undefined,
  { at, deleted }: { readonly at: EpochMs; readonly deleted: boolean },
): ShadowRecord {
  const version = (from?.version ?? 0) + (deleted ? 0 : 1);
  return { tenant, deviceId, name, version, changedAt: at, deleted };
}

/** Neither a device's name nor a shadow's can hold a slash. */
function placeOf({ tenant, deviceId, name, version }: ShadowRecord): SealedPlace {
  return { tenant, kind: KIND, id: `${deviceId}/${name}`, version };
}

function secondsOf(at: EpochMs): number {
  return Math.floor(at / 1000);
}
