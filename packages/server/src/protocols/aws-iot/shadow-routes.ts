import type { Clock } from '@holdfast/kernel';
import type { PolicyAction, ShadowKey, Shadows } from '@holdfast/trust/communication';
import { decodeShadowMembers, encodeShadowDeletion, encodeShadowReply, readShadowUpdate } from '@holdfast/wire/aws-iot';
import type { DeviceRequest, DeviceRoute } from '../https/device-route.ts';
import { dataRoute, type DataRequestPorts, demandOwn, integerQuery, oneQuery } from './data-request.ts';
import { shadowWord } from './error-words.ts';
import { secondsOf } from './job-words.ts';
import { jsonAnswer, newTraceId, restError } from './rest-words.ts';
import { stateWithDelta } from './shadow-words.ts';

export interface ShadowRoutesPorts extends DataRequestPorts {
  readonly clock: Clock;
  readonly shadows: Shadows;
}

type Verb = (key: ShadowKey, request: DeviceRequest) => Promise<Uint8Array>;

/** More than the 8 KiB of state: white space and a token are not counted. */
const MAX_BODY_BYTES = 65_536;
const MAX_PAGE = 100;

/**
 * The Device Shadow service over HTTPS; what changes is told on the shadow's topics as well.
 *
 * @see AWS IoT developer guide, "Device Shadow REST API"
 */
export function shadowRoutes(ports: ShadowRoutesPorts): readonly DeviceRoute[] {
  const { shadows, clock, random } = ports;
  const route = (method: DeviceRoute['method'], action: PolicyAction, verb: Verb): DeviceRoute =>
    dataRoute(ports, {
      method,
      path: '/things/{thing}/shadow',
      maxBodyBytes: method === 'POST' ? MAX_BODY_BYTES : 0,
      handle: async (request) => {
        const { tenant, deviceId } = await demandOwn(ports, request, action);
        const name = oneQuery(request.query, 'name');
        try {
          return jsonAnswer(await verb({ tenant, deviceId, name }, request));
        } catch (error) {
          const { code: status, message } = shadowWord(error, name);
          return restError(error, { traceId: newTraceId(random), word: () => ({ status, message }) });
        }
      },
    });
  return [
    route('GET', 'iot:GetThingShadow', async (key) => {
      const { state, metadata, delta, version } = await shadows.get(key);
      return encodeShadowReply({ state: stateWithDelta(state, delta), metadata, version, at: clock.now() });
    }),
    route('POST', 'iot:UpdateThingShadow', async (key, { body }) => {
      const request = readShadowUpdate(decodeShadowMembers(body));
      const { accepted, at, clientToken, current } = await shadows.update(key, request);
      return encodeShadowReply({ ...accepted, version: current.version, at, clientToken });
    }),
    route('DELETE', 'iot:DeleteThingShadow', async (key) => {
      const { version, at } = await shadows.delete(key);
      return encodeShadowDeletion({ version, at });
    }),
    dataRoute(ports, {
      method: 'GET',
      path: '/api/things/shadow/ListNamedShadowsForThing/{thing}',
      maxBodyBytes: 0,
      handle: async (request) => {
        const { tenant, deviceId } = await demandOwn(ports, request, 'iot:ListNamedShadowsForThing');
        const limit = integerQuery(request.query, 'pageSize', MAX_PAGE) ?? MAX_PAGE;
        const after = oneQuery(request.query, 'nextToken');
        const { rows, next } = await shadows.list({ tenant, deviceId }, { limit: Math.max(1, limit), after });
        return jsonAnswer(JSON.stringify({ results: rows, nextToken: next, timestamp: secondsOf(clock.now()) }));
      },
    }),
  ];
}
