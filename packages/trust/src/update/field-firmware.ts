import { HoldfastError } from '@holdfast/kernel';
import type { FieldFirmware } from '../boot/index.ts';
import type {
  PostureRepository,
  ReferenceValue,
  ReferenceValueRepository,
  ReleaseRecord,
  ReleaseRepository,
  Sha256Hex,
} from '../ports/index.ts';
import type { ArtifactFiles } from './artifact-access.ts';

export interface FieldFirmwarePorts {
  readonly postures: PostureRepository;
  readonly referenceValues: Pick<ReferenceValueRepository, 'list'>;
  readonly releases: Pick<ReleaseRepository, 'find'>;
  readonly files: ArtifactFiles;
}

/** A firmware that devices run, and how many have proven so. */
export interface FoundFirmware extends Omit<FieldFirmware, 'keys'> {
  readonly digest: Sha256Hex;
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
export async function fieldFirmware(
  ports: FieldFirmwarePorts,
  release: ReleaseRecord,
): Promise<readonly FoundFirmware[]> {
  const { tenant, product, hardwareRevision, counter, measurement } = release;
  const known = (await ports.referenceValues.list(tenant, product, PAGE)).filter(
    (value) => value.hardwareRevision === hardwareRevision && value.counter <= counter && value.digest !== measurement,
  );
  const devices = await countDevices(ports.postures, release);
  const inUse = known.filter(({ digest }) => devices.has(digest)).slice(0, NEWEST);
  const factory = known.at(-1);
  const wanted = factory === undefined || inUse.includes(factory) ? inUse : [...inUse, factory];
  const found: FoundFirmware[] = [];
  let room = MAX_BYTES;
  for (const value of wanted) {
    const image = await imageOf(ports, value, room);
    room -= image?.length ?? 0;
    found.push({ name: nameOf(value, devices.get(value.digest) ?? 0), image, digest: value.digest });
  }
  return found;
}

async function countDevices(postures: PostureRepository, release: ReleaseRecord): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  let after: string | undefined;
  do {
    const page = await postures.listOfProduct(release.tenant, release.product, { after, limit: PAGE });
    for (const { evidence } of page.rows)
      if (evidence !== undefined) counts.set(evidence.digest, (counts.get(evidence.digest) ?? 0) + 1);
    after = page.next;
  } while (after !== undefined);
  return counts;
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
