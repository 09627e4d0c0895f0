/** The root of Holdfast's own reserved topics; devices never publish under it except to the requests below. */
export const HOLDFAST_TOPIC_ROOT = '$holdfast/things/';

/** What a device may ask; each is answered on `/accepted` or `/rejected` to the asking connection alone. */
export const HOLDFAST_REQUESTS = [
  'evidence/nonce',
  'evidence',
  'time',
  'health',
  'ratchet',
  'ratchet/turn',
  'renewal',
] as const;

export type HoldfastRequest = (typeof HOLDFAST_REQUESTS)[number];

/** The topic a device publishes `request` to. */
export function holdfastTopic(thing: string, request: HoldfastRequest): string {
  return `${HOLDFAST_TOPIC_ROOT}${thing}/${request}`;
}

export const acceptedTopic = (requestTopic: string): string => `${requestTopic}/accepted`;
export const rejectedTopic = (requestTopic: string): string => `${requestTopic}/rejected`;

/** Which thing's which request a topic names; undefined for anything else, replies included. */
export function parseHoldfastTopic(
  topic: string,
): { readonly thing: string; readonly request: HoldfastRequest } | undefined {
  if (!topic.startsWith(HOLDFAST_TOPIC_ROOT)) return undefined;
  const rest = topic.slice(HOLDFAST_TOPIC_ROOT.length);
  const slash = rest.indexOf('/');
  if (slash < 1) return undefined;
  const request = HOLDFAST_REQUESTS.find((each) => each === rest.slice(slash + 1));
  return request === undefined ? undefined : { thing: rest.slice(0, slash), request };
}
