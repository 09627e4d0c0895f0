import { encodeBase64Url, type Random } from '@holdfast/kernel';
import {
  type ConnectPacket,
  encodeConnack,
  type MqttProperties,
  type MqttVersion,
  REASON,
  RETURN_CODE,
} from '@holdfast/wire/mqtt';
import type { MqttLimits } from './limits.ts';
import type { MqttPrincipal } from './ports.ts';
import { fitsTopicLimits, isReserved, keepAliveInForce, type MqttProfile } from './profiles.ts';

/** A CONNACK that says no, in the words of both versions. */
export interface Refusal {
  readonly returnCode: number;
  readonly reason: number;
}

export const UNAVAILABLE: Refusal = { returnCode: RETURN_CODE.serverUnavailable, reason: REASON.serverUnavailable };

const REJECTED_ID: Refusal = {
  returnCode: RETURN_CODE.identifierRejected,
  reason: REASON.clientIdentifierNotValid,
};

/** What can be refused before anyone is asked who the client is. */
export function refusalOfConnect(connect: ConnectPacket, profile: MqttProfile): Refusal | undefined {
  const { will, properties } = connect;
  if (properties.authenticationMethod !== undefined) {
    // [MQTT-4.12.0-1]: no method is spoken here; certificates say who a client is.
    return { returnCode: RETURN_CODE.notAuthorized, reason: REASON.badAuthenticationMethod };
  }
  if (connect.version === 4 && connect.clientId === '' && !connect.clean) return REJECTED_ID; // 3.1.1 [MQTT-3.1.3-8]
  if (will === undefined) return undefined;
  if (will.qos > profile.maximumQos) return { returnCode: RETURN_CODE.notAuthorized, reason: REASON.qosNotSupported };
  if (!fitsTopicLimits(profile, will.topic) || isReserved(profile, will.topic)) return profile.connectDenied;
  return undefined;
}

/**
 * Asks the policy about the connection and its will: a will is a publish (aedes advisory 457, EMQX issue 1230).
 */
export function refusalOfPolicy(
  connect: ConnectPacket,
  clientId: string,
  principal: MqttPrincipal,
  profile: MqttProfile,
): Refusal | undefined {
  const { will } = connect;
  const asked = will === undefined ? undefined : { topic: will.topic, retain: will.retain };
  if (!principal.mayConnect(clientId, asked)) {
    principal.onViolation('connect', clientId);
    return profile.connectDenied;
  }
  if (will === undefined || principal.mayPublish(will.topic, will.retain)) return undefined;
  principal.onViolation('will', will.topic);
  return profile.connectDenied;
}

export function encodeRefusal({ returnCode, reason }: Refusal, version: MqttVersion): Uint8Array {
  return encodeConnack({ sessionPresent: false, reason: version === 4 ? returnCode : reason }, version);
}

/** An identifier for a client that sent none [MQTT-3.1.3-6]. */
export function assignClientId(random: Random): string {
  return `auto-${encodeBase64Url(random.bytes(15))}`;
}

/** How long the session outlives this connection, in seconds. MQTT 3.1.1 without Clean Session: as long as allowed. */
export function sessionExpiry(connect: ConnectPacket, principal: MqttPrincipal, limits: MqttLimits): number {
  if (!principal.persistentAllowed) return 0;
  if (connect.version === 4) return connect.clean ? 0 : limits.maxSessionExpirySeconds;
  return Math.min(connect.properties.sessionExpiryInterval ?? 0, limits.maxSessionExpirySeconds);
}

export interface AdmissionTerms {
  readonly connect: ConnectPacket;
  readonly profile: MqttProfile;
  readonly limits: MqttLimits;
  /** Undefined when the client brought its own. */
  readonly assignedClientId: string | undefined;
  readonly expirySeconds: number;
}

/** What an MQTT 5 client is told it may expect (3.2.2.3): what differs from its wish or from the defaults. */
export function connackProperties(terms: AdmissionTerms): MqttProperties {
  const { connect, profile, limits, assignedClientId, expirySeconds } = terms;
  const keepAlive = keepAliveInForce(profile, connect.keepAlive);
  const asked = connect.properties.sessionExpiryInterval ?? 0;
  return {
    ...(expirySeconds === asked ? {} : { sessionExpiryInterval: expirySeconds }),
    ...(assignedClientId === undefined ? {} : { assignedClientIdentifier: assignedClientId }),
    ...(keepAlive === connect.keepAlive ? {} : { serverKeepAlive: keepAlive }),
    receiveMaximum: limits.receiveMaximum,
    topicAliasMaximum: limits.topicAliasMaximum,
    ...(profile.maximumQos === 2 ? {} : { maximumQos: profile.maximumQos }),
    maximumPacketSize: limits.maxPacketBytes,
    ...(profile.namesAvailability
      ? { retainAvailable: 1, wildcardSubscriptionAvailable: 1, sharedSubscriptionAvailable: 1 }
      : {}),
    ...(profile.subscriptionIdentifiers ? {} : { subscriptionIdentifierAvailable: 0 }),
  };
}
