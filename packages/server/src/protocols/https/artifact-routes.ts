import { HoldfastError } from '@holdfast/kernel';
import type { ArtifactAccess, GrantedFile } from '@holdfast/trust/update';
import { readByteRange } from './byte-range.ts';
import type { DeviceRequest, DeviceResponse, DeviceRoute } from './device-route.ts';

export interface ArtifactRoutesPorts {
  readonly access: ArtifactAccess;
}

/** 64 KiB reads cost three times the CPU of these. */
const CHUNK = 1_048_576;

const PATH = '/artifacts/{jobId}';

/** The file of a device's own open job, whole or a range of it (RFC 9110 section 14), for downloads that resume. */
export function artifactRoutes({ access }: ArtifactRoutesPorts): readonly DeviceRoute[] {
  const route = (method: 'GET' | 'HEAD'): DeviceRoute => ({
    method,
    path: PATH,
    audience: ['device'],
    whileRestricted: 'served',
    maxBodyBytes: 0,
    handle: (request) => serve(access, request),
  });
  return [route('GET'), route('HEAD')];
}

async function serve(access: ArtifactAccess, request: DeviceRequest): Promise<DeviceResponse> {
  const { principal, params, signal } = request;
  if (principal?.kind !== 'device') throw new HoldfastError('update.unknown_file');
  const file = await access.openForJob(principal, params['jobId'] ?? '');
  const answer = answerOf(file, request);
  if (!('span' in answer)) {
    await file.close();
    return answer;
  }
  const { span, status, headers } = answer;
  return { status, headers, body: readInChunks(file, span, signal) };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function answerOf(
  file: GrantedFile,
  { headers: asked, method }: DeviceRequest,
):
  | DeviceResponse
  | { readonly status: number; readonly headers: Readonly<Record<string, string | number>>; readonly span: Span } {
  const { size, release } = file;
  const etag = `"${release.imageSha256}"`;
  const headers = {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-transform',
    etag,
  };
  // A range of another representation would be sewn into the wrong file (RFC 9110 13.1.5); a date never matches here.
  const ifRange = asked['if-range'];
  const range = readByteRange(ifRange === undefined || ifRange === etag ? asked['range'] : undefined, size);
  if (range.kind === 'unsatisfiable')
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${size}` } };
  const span = range.kind === 'part' ? range : { start: 0, end: size };
  const length = { 'content-length': span.end - span.start };
  const part = range.kind === 'part' ? { 'content-range': `bytes ${span.start}-${span.end - 1}/${size}` } : {};
  const status = range.kind === 'part' ? 206 : 200;
  const head = { status, headers: { ...headers, ...length, ...part } };
  return method === 'HEAD' ? head : { ...head, span };
}

/** The right to the file is asked for anew before each chunk, by `read` itself. */
function readInChunks(file: GrantedFile, { start, end }: Span, signal: AbortSignal): AsyncIterable<Uint8Array> {
  let begun = false;
  // A connection that ends before its first chunk is asked for would leave the file open.
  signal.addEventListener('abort', () => void (begun || file.close()), { once: true });
  return (async function* () {
    begun = true;
    try {
      for (let at = start; at < end; at += CHUNK) {
        signal.throwIfAborted();
        yield await file.read({ start: at, end: Math.min(at + CHUNK, end) });
      }
    } finally {
      await file.close();
    }
  })();
}
