/** Encoding of a payload; a reply has the one of its request. */
export type AwsFormat = 'json' | 'cbor';

/** A request a device publishes under AWS IoT's reserved topics. */
export type AwsIotRequest =
  | { readonly kind: 'create-keys'; readonly format: AwsFormat }
  | { readonly kind: 'create-from-csr'; readonly format: AwsFormat }
  | { readonly kind: 'register-thing'; readonly template: string; readonly format: AwsFormat }
  | { readonly kind: 'jobs-pending'; readonly thing: string }
  | { readonly kind: 'jobs-start-next'; readonly thing: string }
  | { readonly kind: 'job-describe'; readonly thing: string; readonly job: string }
  | { readonly kind: 'job-update'; readonly thing: string; readonly job: string }
  | { readonly kind: 'stream-describe'; readonly thing: string; readonly stream: string; readonly format: AwsFormat }
  | { readonly kind: 'stream-get'; readonly thing: string; readonly stream: string; readonly format: AwsFormat }
  | { readonly kind: ShadowVerb; readonly thing: string }
  | { readonly kind: `named-${ShadowVerb}`; readonly thing: string; readonly shadow: string };

type ShadowVerb = 'shadow-get' | 'shadow-update' | 'shadow-delete';

export type AwsIotRequestKind = AwsIotRequest['kind'];

/** Names `$next` as the job id. */
export const NEXT_JOB = '$next';

export const JOB_ID = /^[A-Za-z0-9_-]{1,64}$/;
export const THING_NAME = /^[A-Za-z0-9:_-]{1,128}$/;
export const STREAM_ID = /^[A-Za-z0-9_-]{1,128}$/;
export const TEMPLATE_NAME = /^[0-9A-Za-z_-]{1,36}$/;
/** Of a named shadow; the classic one has none. */
export const SHADOW_NAME = /^[$A-Za-z0-9:_-]{1,64}$/;

const PARTS: Readonly<Record<string, RegExp>> = {
  '{format}': /^(?:json|cbor)$/,
  '{template}': TEMPLATE_NAME,
  '{thing}': THING_NAME,
  '{job}': /^(?:\$next|[A-Za-z0-9_-]{1,64})$/,
  '{stream}': STREAM_ID,
  '{shadow}': SHADOW_NAME,
};

/**
 * Every reserved topic a device may publish to.
 *
 * @see AWS IoT developer guide, "Reserved topics"
 */
export const AWS_IOT_REQUESTS: readonly { readonly kind: AwsIotRequestKind; readonly topic: string }[] = [
  { kind: 'create-keys', topic: '$aws/certificates/create/{format}' },
  { kind: 'create-from-csr', topic: '$aws/certificates/create-from-csr/{format}' },
  { kind: 'register-thing', topic: '$aws/provisioning-templates/{template}/provision/{format}' },
  { kind: 'jobs-pending', topic: '$aws/things/{thing}/jobs/get' },
  { kind: 'jobs-start-next', topic: '$aws/things/{thing}/jobs/start-next' },
  { kind: 'job-describe', topic: '$aws/things/{thing}/jobs/{job}/get' },
  { kind: 'job-update', topic: '$aws/things/{thing}/jobs/{job}/update' },
  { kind: 'stream-describe', topic: '$aws/things/{thing}/streams/{stream}/describe/{format}' },
  { kind: 'stream-get', topic: '$aws/things/{thing}/streams/{stream}/get/{format}' },
  { kind: 'shadow-get', topic: '$aws/things/{thing}/shadow/get' },
  { kind: 'shadow-update', topic: '$aws/things/{thing}/shadow/update' },
  { kind: 'shadow-delete', topic: '$aws/things/{thing}/shadow/delete' },
  { kind: 'named-shadow-get', topic: '$aws/things/{thing}/shadow/name/{shadow}/get' },
  { kind: 'named-shadow-update', topic: '$aws/things/{thing}/shadow/name/{shadow}/update' },
  { kind: 'named-shadow-delete', topic: '$aws/things/{thing}/shadow/name/{shadow}/delete' },
];

const ROWS = AWS_IOT_REQUESTS.map((row) => ({ kind: row.kind, segments: row.topic.split('/') }));

/** The request a topic names; undefined for anything else, replies included. */
export function parseAwsIotTopic(topic: string): AwsIotRequest | undefined {
  const segments = topic.split('/');
  for (const row of ROWS) {
    const parts = matchSegments(row.segments, segments);
    if (parts !== undefined) return { kind: row.kind, ...parts } as AwsIotRequest;
  }
  return undefined;
}

/** The topic of a request, as the device side publishes it. */
export function awsIotTopic(request: AwsIotRequest): string {
  const row = ROWS.find((each) => each.kind === request.kind);
  const parts: Readonly<Record<string, string>> = { ...request };
  return (row?.segments ?? []).map((segment) => (segment in PARTS ? parts[segment.slice(1, -1)] : segment)).join('/');
}

/** Where the answers to a request go. */
export function awsReplyTopics(request: AwsIotRequest): { readonly accepted: string; readonly rejected: string } {
  if (request.kind === 'stream-describe' || request.kind === 'stream-get') {
    const { thing, stream, format } = request;
    const base = `$aws/things/${thing}/streams/${stream}`;
    const accepted = request.kind === 'stream-describe' ? 'description' : 'data';
    return { accepted: `${base}/${accepted}/${format}`, rejected: `${base}/rejected/${format}` };
  }
  const topic = awsIotTopic(request);
  return { accepted: `${topic}/accepted`, rejected: `${topic}/rejected` };
}

/**
 * A topic of a shadow, such as `update/delta`.
 *
 * @param shadow - undefined for the classic one.
 */
export function shadowTopic(thing: string, shadow: string | undefined, rest: string): string {
  return `$aws/things/${thing}/shadow/${shadow === undefined ? '' : `name/${shadow}/`}${rest}`;
}

/** Told when executions enter or leave the pending list. */
export const jobsNotifyTopic = (thing: string): string => `$aws/things/${thing}/jobs/notify`;

/** Told when another execution becomes the next one. */
export const jobsNotifyNextTopic = (thing: string): string => `$aws/things/${thing}/jobs/notify-next`;

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parts: Record<string, string> = {};
  for (const [at, expected] of pattern.entries()) {
    const actual = segments[at] ?? '';
    const rule = PARTS[expected];
    if (rule === undefined ? actual !== expected : !rule.test(actual)) return undefined;
    if (rule !== undefined) parts[expected.slice(1, -1)] = actual;
  }
  return parts;
}
