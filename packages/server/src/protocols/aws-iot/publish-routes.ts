import { decodeBase64, encodeBase64, HoldfastError, parseStrictJson } from '@holdfast/kernel';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import type { MqttProperties, UserProperty } from '@holdfast/wire/mqtt';
import type { DeviceRequest, DeviceResponse, DeviceRoute } from '../https/device-route.ts';
import { dataRoute, type DataRequestPorts, demand, integerQuery, oneOfQuery, oneQuery } from './data-request.ts';
import { jsonAnswer, newTraceId } from './rest-words.ts';

/** A message as a device posts it. */
interface PostedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly properties: MqttProperties;
}

export interface PublishRoutesPorts extends DataRequestPorts {
  readonly broker: {
    publish(device: DevicePrincipal, message: PostedMessage): Promise<void>;
    retained(
      device: DevicePrincipal,
      topic: string,
    ): { readonly payload: Uint8Array; readonly qos: number } | undefined;
  };
}

/** AWS IoT Core quotas, "Publish payload"; the MQTT profile's own limit stands beside it. */
const MAX_PAYLOAD_BYTES = 131_072;
const MAX_EXPIRY_SECONDS = 0xffffffff;
const FORMATS = ['UNSPECIFIED_BYTES', 'UTF8_DATA'] as const;

/**
 * Publish and GetRetainedMessage of the AWS IoT data plane.
 *
 * @see AWS IoT API reference, "Publish", "GetRetainedMessage"
 */
export function publishRoutes(ports: PublishRoutesPorts): readonly DeviceRoute[] {
  return [
    dataRoute(ports, {
      method: 'POST',
      path: '/topics/{topic*}',
      maxBodyBytes: MAX_PAYLOAD_BYTES,
      handle: (request) => publish(ports, request),
    }),
    dataRoute(ports, {
      method: 'GET',
      path: '/retainedMessage/{topic*}',
      maxBodyBytes: 0,
      handle: (request) => retained(ports, request),
    }),
  ];
}

async function publish(ports: PublishRoutesPorts, request: DeviceRequest): Promise<DeviceResponse> {
  const { body, params, query } = request;
  const topic = params['topic'] ?? '';
  const retain = oneOfQuery(query, 'retain', ['true', 'false']) === 'true';
  const device = await demand(ports, request, { action: 'iot:Publish', type: 'topic', name: topic });
  if (retain) await demand(ports, request, { action: 'iot:RetainPublish', type: 'topic', name: topic });
  const qos = oneOfQuery(query, 'qos', ['0', '1']) === '1' ? 1 : 0;
  const properties = propertiesOf(request);
  await ports.broker.publish(device, { topic, payload: body, qos, retain, properties });
  return jsonAnswer(JSON.stringify({ message: 'OK', traceId: newTraceId(ports.random) }));
}

async function retained(ports: PublishRoutesPorts, request: DeviceRequest): Promise<DeviceResponse> {
  const topic = request.params['topic'] ?? '';
  const device = await demand(ports, request, { action: 'iot:GetRetainedMessage', type: 'topic', name: topic });
  const message = ports.broker.retained(device, topic);
  if (message === undefined) throw new HoldfastError('communication.no_retained_message');
  return jsonAnswer(JSON.stringify({ topic, payload: encodeBase64(message.payload), qos: message.qos }));
}

/** MQTT 5 properties that travel with the message. */
function propertiesOf({ headers, query }: DeviceRequest): MqttProperties {
  const messageExpiryInterval = integerQuery(query, 'messageExpiry', MAX_EXPIRY_SECONDS);
  const contentType = oneQuery(query, 'contentType');
  const responseTopic = oneQuery(query, 'responseTopic');
  const correlation = headers['x-amz-mqtt5-correlation-data'];
  const format = headers['x-amz-mqtt5-payload-format-indicator'];
  const users = headers['x-amz-mqtt5-user-properties'];
  if (format !== undefined && !FORMATS.some((each) => each === format)) throw badHeader('payload-format-indicator');
  return {
    ...(format === undefined ? {} : { payloadFormatIndicator: format === 'UTF8_DATA' ? 1 : 0 }),
    ...(messageExpiryInterval === undefined ? {} : { messageExpiryInterval }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlation === undefined ? {} : { correlationData: fromBase64(correlation, 'correlation-data') }),
    ...(users === undefined ? {} : { userProperties: userPropertiesIn(users) }),
  };
}

/** Base64 of a JSON list of objects with one member each (AWS API reference, "userProperties"). */
function userPropertiesIn(header: string): readonly UserProperty[] {
  const list = parseStrictJson(fromBase64(header, 'user-properties'));
  if (!Array.isArray(list)) throw badHeader('user-properties');
  return list.map((entry: unknown): UserProperty => {
    const [pair, ...others] = typeof entry === 'object' && entry !== null ? Object.entries(entry) : [];
    if (pair === undefined || others.length > 0 || typeof pair[1] !== 'string') throw badHeader('user-properties');
    return [pair[0], pair[1]];
  });
}

function fromBase64(header: string, parameter: string): Uint8Array {
  try {
    return decodeBase64(header);
  } catch {
    throw badHeader(parameter);
  }
}

function badHeader(parameter: string): HoldfastError {
  return new HoldfastError('communication.bad_query', { parameter });
}
