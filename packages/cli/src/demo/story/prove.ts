import { type DeviceIdentity, HoldfastRequests, type MqttConnection } from '@holdfast/device';
import { encodeUtf8, HoldfastError } from '@holdfast/kernel';
import type { Hub } from '../hub.ts';

/** What the server says to a message on one of the device's own topics: the name of the reason, or `accepted`. */
export async function talk(connection: MqttConnection, identity: DeviceIdentity): Promise<string> {
  try {
    await connection.publish(`devices/${identity.deviceId}/telemetry`, encodeUtf8('{"battery":81}'));
    return 'accepted';
  } catch (error) {
    if (!HoldfastError.is(error, 'device.request_rejected')) throw error;
    return String(error.details['reason']);
  }
}

/** Boots the device and proves what was measured. @returns the posture the server sees it in */
export async function prove(connection: MqttConnection, hub: Hub): Promise<string> {
  const requests = new HoldfastRequests(connection, hub.id);
  const { posture } = await requests.prove(hub.made.device.boot(), hub.made.profile.ueid);
  return posture;
}
