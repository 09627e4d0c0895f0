import { HoldfastError, type Random } from '@holdfast/kernel';
import type { PolicyAction } from '@holdfast/trust/communication';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import type { DeviceRequest, DeviceRoute } from '../https/device-route.ts';
import type { RequestRate } from './request-rate.ts';
import { newTraceId, restError } from './rest-words.ts';

/** A request that the policy refused, for the audit log. */
interface RefusedRequest {
  readonly device: DevicePrincipal;
  readonly action: PolicyAction;
  readonly resource: string;
  readonly remoteAddress: string;
}

export interface DataRequestPorts {
  readonly random: Random;
  /** By device: a connection costs a client nothing here. */
  readonly rate: RequestRate;
  readonly onRefused: (refused: RefusedRequest) => void;
}

/** What a route of the data planes has in common: devices only, JSON errors, rights asked by the handler itself. */
export function dataRoute(
  ports: DataRequestPorts,
  route: Pick<DeviceRoute, 'method' | 'path' | 'maxBodyBytes' | 'handle'>,
): DeviceRoute {
  return {
    ...route,
    audience: ['device'],
    wordError: (error) => restError(error, { traceId: newTraceId(ports.random) }),
  };
}

/**
 * The device that asks, when it may and not too often.
 *
 * @throws `communication.not_allowed`, `update.rate_limited`
 */
export async function demand(
  { onRefused, rate }: DataRequestPorts,
  { principal, remoteAddress, rights }: DeviceRequest,
  wish: { readonly action: PolicyAction; readonly type: 'topic' | 'thing'; readonly name: string },
): Promise<DevicePrincipal> {
  if (principal?.kind !== 'device' || rights === undefined) throw new HoldfastError('communication.not_allowed');
  await rate.take(`${principal.tenant}/${principal.deviceId}`);
  const { action, name, type } = wish;
  if (rights.decide(action, type, name).kind === 'allow') return principal;
  onRefused({ device: principal, action, resource: name, remoteAddress });
  throw new HoldfastError('communication.not_allowed');
}

/** As `demand` for a thing, which must be the device's own, whatever a policy says. @throws `update.foreign_thing` */
export async function demandOwn(
  ports: DataRequestPorts,
  request: DeviceRequest,
  action: PolicyAction,
): Promise<DevicePrincipal> {
  const thing = request.params['thing'] ?? '';
  const device = await demand(ports, request, { action, type: 'thing', name: thing });
  if (device.deviceId === thing) return device;
  ports.onRefused({ device, action, resource: thing, remoteAddress: request.remoteAddress });
  throw new HoldfastError('update.foreign_thing');
}

/** The one value of a query parameter. @throws `communication.bad_query` when it is given twice or not one of these */
export function oneOfQuery<Value extends string>(
  query: URLSearchParams,
  parameter: string,
  values: readonly Value[],
): Value | undefined {
  const given = oneQuery(query, parameter);
  if (given === undefined) return undefined;
  const value = values.find((each) => each === given);
  if (value === undefined) throw new HoldfastError('communication.bad_query', { parameter });
  return value;
}

/** @throws `communication.bad_query` when it is given twice */
export function oneQuery(query: URLSearchParams, parameter: string): string | undefined {
  const [value, ...others] = query.getAll(parameter);
  if (others.length > 0) throw new HoldfastError('communication.bad_query', { parameter });
  return value;
}

/** A whole number. @throws `communication.bad_query` */
export function integerQuery(query: URLSearchParams, parameter: string, maximum: number): number | undefined {
  const text = oneQuery(query, parameter);
  if (text === undefined) return undefined;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  if (value === undefined || value > maximum) throw new HoldfastError('communication.bad_query', { parameter });
  return value;
}
