import { REASON, RETURN_CODE } from '@holdfast/wire/mqtt';
import type { MqttLimits } from './limits.ts';

/** Where servers differ although all speak the standard: a table of switches. */
export interface MqttProfile {
  readonly name: string;
  /** Topics under these belong to the server: clients publish there only what the router claims. */
  readonly reservedPrefixes: readonly string[];
  /** Whether `a/#` matches `a`. */
  readonly hashMatchesParent: boolean;
  /** Whether retained messages answer a subscription with wildcards. */
  readonly retainedToWildcards: boolean;
  readonly maximumQos: 1 | 2;
  readonly subscriptionIdentifiers: boolean;
  /** Seconds. A wish outside is taken as the nearest bound; `maxKeepAlive` also replaces 0 (none). 0: no bound. */
  readonly minKeepAlive: number;
  readonly maxKeepAlive: number;
  readonly maxTopicBytes: number;
  readonly maxTopicSlashes: number;
  readonly maxFiltersPerSubscribe: number;
  readonly maxSubscriptions: number;
  readonly maxPayloadBytes: number;
  /** SUBACK reason of MQTT 5 for a filter the policy denies. */
  readonly subscribeDenied: number;
  /** CONNACK of a connect or will that the policy denies. */
  readonly connectDenied: { readonly returnCode: number; readonly reason: number };
  /** Whether CONNACK says what is available even where that is the default (stock AWS clients were seen with it). */
  readonly namesAvailability: boolean;
  /** Limits this profile sets apart. */
  readonly limits: Partial<MqttLimits>;
}

/** The standard as it stands. */
export const MQTT_PROFILE: MqttProfile = {
  name: 'mqtt',
  reservedPrefixes: ['$SYS', '$aws', '$holdfast', '$share'],
  hashMatchesParent: true,
  retainedToWildcards: true,
  maximumQos: 2,
  subscriptionIdentifiers: true,
  minKeepAlive: 0,
  maxKeepAlive: 0,
  maxTopicBytes: 4096,
  maxTopicSlashes: 128,
  maxFiltersPerSubscribe: 128,
  maxSubscriptions: 1_000,
  maxPayloadBytes: 268_435_455,
  subscribeDenied: REASON.notAuthorized,
  connectDenied: { returnCode: RETURN_CODE.notAuthorized, reason: REASON.notAuthorized },
  namesAvailability: false,
  limits: {},
};

/** AWS IoT Core where it differs (developer guide, MQTT and quotas pages). */
export const AWS_PROFILE: MqttProfile = {
  ...MQTT_PROFILE,
  name: 'aws',
  hashMatchesParent: false,
  retainedToWildcards: false,
  maximumQos: 1,
  subscriptionIdentifiers: false,
  minKeepAlive: 30,
  maxKeepAlive: 1_200,
  maxTopicBytes: 256,
  maxTopicSlashes: 7,
  maxFiltersPerSubscribe: 8,
  maxSubscriptions: 50,
  maxPayloadBytes: 131_072,
  namesAvailability: true,
  limits: {
    maxPacketBytes: 149_504,
    receiveMaximum: 100,
    maxInflight: 100,
    topicAliasMaximum: 8,
    maxSessionExpirySeconds: 3_600,
  },
};

export const PROFILES: Readonly<Record<'mqtt' | 'aws', MqttProfile>> = { mqtt: MQTT_PROFILE, aws: AWS_PROFILE };

/** `$aws/rules/{rule}/` in front of a topic does not count towards its levels (AWS basic ingest). */
const RULE_PREFIX = /^\$aws\/rules\/[^/]+\//;

/** Whether a topic or filter is within the profile's size. */
export function fitsTopicLimits(profile: MqttProfile, topic: string): boolean {
  if (topic.length > profile.maxTopicBytes) return false;
  if (topic.length * 3 > profile.maxTopicBytes && Buffer.byteLength(topic) > profile.maxTopicBytes) return false;
  const counted = topic.startsWith('$') ? topic.replace(RULE_PREFIX, '') : topic;
  let slashes = 0;
  for (let at = counted.indexOf('/'); at >= 0; at = counted.indexOf('/', at + 1)) slashes++;
  return slashes <= profile.maxTopicSlashes;
}

/** Whether clients may not publish to a topic unless the router claims it. */
export function isReserved(profile: MqttProfile, topic: string): boolean {
  if (!topic.startsWith('$')) return false;
  return profile.reservedPrefixes.some((prefix) => topic === prefix || topic.startsWith(`${prefix}/`));
}

/** The keep-alive in force, in seconds; 0 is none. */
export function keepAliveInForce(profile: MqttProfile, asked: number): number {
  if (profile.maxKeepAlive > 0 && (asked === 0 || asked > profile.maxKeepAlive)) return profile.maxKeepAlive;
  return asked === 0 ? 0 : Math.max(asked, profile.minKeepAlive);
}
