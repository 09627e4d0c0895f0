import { type EpochMs, HoldfastError } from '@holdfast/kernel';
import type { FieldFirmware } from '../boot/index.ts';
import type {
  DeviceRepository,
  Page,
  PageRequest,
  PostureRepository,
  ReferenceValue,
  ReferenceValueRepository,
  ReleaseRecord,
  ReleaseRepository,
  Sha256Hex,
} from '../ports/index.ts';
import type { ArtifactFiles } from './artifact-access.ts';

export interface FieldFirmwarePorts {
  readonly devices: DeviceRepository;
  readonly postures: PostureRepository;
  readonly referenceValues: Pick<ReferenceValueRepository, 'list'>;
  readonly releases: Pick<ReleaseRepository, 'find'>;
  readonly files: ArtifactFiles;
}

/** A firmware that devices run, and how many have proven so. */
interface FoundFirmware extends Omit<FieldFirmware, 'keys'> {
  readonly digest: Sha256Hex;
  /** When the oldest of its devices was made: it holds the fewest keys. Undefined for devices that are still to be made. */
  readonly oldest: EpochMs | undefined;
}

export interface Field {
  readonly firmware: readonly FoundFirmware[];
  /** When the oldest device was made that has proven none of these. */
  readonly oldestUnproven: EpochMs | undefined;
}

const PAGE = 1000;
/** Newest first; what is older is in the field on few devices, and the factory's image is looked at anyway. */
const NEWEST = 8;
/** All images of a rehearsal together, as they are copied to its thread. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * What runs on the devices a release is for: the newest firmwares they have proven, and the first that was ever
 * published, which the factory puts on them. Those with a higher counter are left out, as rollouts leave them out.
 */
export async function fieldFirmware(ports: FieldFirmwarePorts, release: ReleaseRecord): Promise<Field> {
  const { tenant, product, hardwareRevision, counter, measurement } = release;
  const known = (await ports.referenceValues.list(tenant, product, PAGE)).filter(
    (value) => value.hardwareRevision === hardwareRevision && value.counter <= counter && value.digest !== measurement,
  );
  const { proven: devices, oldestUnproven } = await devicesOf(ports, release);
  const inUse = known.filter(({ digest }) => devices.has(digest)).slice(0, NEWEST);
  const factory = known.at(-1);
  const wanted = factory === undefined || inUse.includes(factory) ? inUse : [...inUse, factory];
  const found: FoundFirmware[] = [];
  let room = MAX_BYTES;
  for (const value of wanted) {
    const image = await imageOf(ports, value, room);
    room -= image?.length ?? 0;
    const running = devices.get(value.digest);
    const oldest = running?.oldest ?? (value === factory ? oldestUnproven : undefined);
    found.push({ name: nameOf(value, running?.count ?? 0), image, digest: value.digest, oldest });
  }
  return { firmware: found, oldestUnproven };
}

interface Running {
  count: number;
  oldest: EpochMs;
}

interface Devices {
  readonly proven: ReadonlyMap<Sha256Hex, Readonly<Running>>;
  readonly oldestUnproven: EpochMs | undefined;
}

async function devicesOf({ devices, postures }: FieldFirmwarePorts, release: ReleaseRecord): Promise<Devices> {
  const { tenant, product, hardwareRevision } = release;
  const made = new Map<string, EpochMs>();
  for await (const { deviceId, createdAt, hardwareRevision: revision, state } of everyPage((page) =>
    devices.list(tenant, { product }, page),
  ))
    if (revision === hardwareRevision && state !== 'revoked' && state !== 'archived') made.set(deviceId, createdAt);
  const proven = new Map<Sha256Hex, Running>();
  for await (const { deviceId, evidence } of everyPage((page) => postures.listOfProduct(tenant, product, page))) {
    const createdAt = made.get(deviceId);
    if (evidence === undefined || createdAt === undefined) continue;
    made.delete(deviceId);
    const before = proven.get(evidence.digest);
    if (before === undefined) proven.set(evidence.digest, { count: 1, oldest: createdAt });
    else Object.assign(before, { count: before.count + 1, oldest: Math.min(before.oldest, createdAt) });
  }
  let oldestUnproven: EpochMs | undefined;
  for (const createdAt of made.values()) oldestUnproven = Math.min(oldestUnproven ?? createdAt, createdAt);
  return { proven, oldestUnproven };
}

async function* everyPage<Row>(read: (page: PageRequest) => Promise<Page<Row>>): AsyncGenerator<Row> {
  let after: string | undefined;
  do {
    const page = await read({ after, limit: PAGE });
    yield* page.rows;
    after = page.next;
  } while (after !== undefined);
}

function nameOf({ version }: ReferenceValue, devices: number): string {
  if (devices === 0) return `${version} (factory)`;
  return `${version} (${devices} ${devices === 1 ? 'device' : 'devices'})`;
}

/** Undefined when it is not kept here, damaged or larger than what is left. */
async function imageOf(
  { releases, files }: FieldFirmwarePorts,
  { tenant, releaseId }: ReferenceValue,
  room: number,
): Promise<Uint8Array | undefined> {
  const release = releaseId === undefined ? undefined : await releases.find(tenant, releaseId);
  if (release === undefined || release.imageLength > room) return undefined;
  const file = await files.open(tenant, release.artifactId);
  if (file === undefined) return undefined;
  try {
    return await file.read({ start: 0, end: release.imageLength });
  } catch (error) {
    if (HoldfastError.is(error, 'storage.corrupt')) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}
