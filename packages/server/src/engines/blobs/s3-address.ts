import { HoldfastError } from '@holdfast/kernel';

/** Where blobs lie in a store that speaks the protocol of Amazon S3. */
export interface S3Address {
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  /** Undefined for Amazon's own. */
  readonly endpoint: string | undefined;
  /** Undefined to let the environment say. */
  readonly region: string | undefined;
  /** Whether the bucket stands in the path instead of the host name, as most other stores want it. */
  readonly pathStyle: boolean;
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^([A-Za-z0-9!_.*'()-]+\/)*$/;
const REGION = /^[a-z0-9-]{1,64}$/;
const OPTIONS: ReadonlySet<string> = new Set(['endpoint', 'region']);
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Reads `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME]`.
 *
 * @throws `server.bad_config` with the part that cannot be used. An address with a user or password is refused: it
 * would be seen in the list of processes.
 */
export function parseS3Address(text: string): S3Address {
  const url = URL.parse(text);
  if (url?.protocol !== 's3:') throw refused('not an s3 address');
  if (url.username !== '' || url.password !== '' || url.port !== '' || url.hash !== '') throw refused('host');
  if (!BUCKET.test(url.hostname)) throw refused('bucket');
  const path = url.pathname.replace(/^\//, '');
  const prefix = path === '' || path.endsWith('/') ? path : `${path}/`;
  if (!PREFIX.test(prefix)) throw refused('prefix');
  for (const name of url.searchParams.keys()) {
    if (!OPTIONS.has(name) || url.searchParams.getAll(name).length > 1) throw refused('option');
  }
  const region = url.searchParams.get('region') ?? undefined;
  if (region !== undefined && !REGION.test(region)) throw refused('region');
  const endpoint = endpointOf(url.searchParams.get('endpoint') ?? undefined);
  return { bucket: url.hostname, prefix, endpoint, region, pathStyle: endpoint !== undefined };
}

/** What crosses a network in clear would tell which firmware is stored and fetched, though never its bytes. */
function endpointOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname));
  if (url === null || !isSafe || url.username !== '' || url.password !== '') throw refused('endpoint');
  return url.href;
}

function refused(part: string): HoldfastError {
  return new HoldfastError('server.bad_config', { field: 'blobs', part });
}
