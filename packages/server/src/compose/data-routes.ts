import { actorOf } from '@holdfast/trust/principal';
import { dataRoutes } from '../protocols/aws-iot/index.ts';
import { type AuditTrail, deviceSessionKey } from '../protocols/gateway/index.ts';
import type { DeviceRoute } from '../protocols/https/device-route.ts';
import type { MqttBroker } from '../protocols/mqtt/index.ts';
import type { Foundation } from './foundation.ts';
import type { Rooms } from './rooms.ts';

/** The data planes of AWS IoT over HTTPS, on the same broker and services as their topics. */
export function openDataRoutes(
  { clock, random }: Pick<Foundation, 'clock' | 'random'>,
  { jobs, shadows }: Pick<Rooms, 'jobs' | 'shadows'>,
  { broker, trail }: { readonly broker: MqttBroker; readonly trail: AuditTrail },
): readonly DeviceRoute[] {
  return dataRoutes({
    clock,
    random,
    jobs,
    shadows,
    broker: {
      publish: ({ tenant, deviceId }, message) =>
        broker.publishFor({ ...message, realm: tenant, publisher: deviceSessionKey(tenant, deviceId, deviceId) }),
      retained: ({ tenant }, topic) => broker.retained(tenant, topic),
    },
    onRefused: ({ device, action, resource, remoteAddress }) =>
      trail.record(device.fingerprint, {
        tenant: device.tenant,
        actor: actorOf(device),
        action: 'request.refused',
        subject: device.deviceId,
        details: { action, resource, address: remoteAddress },
      }),
  });
}
