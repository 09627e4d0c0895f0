import { type EnrolledDevice, HOST, type HoldfastWorld } from '../../world/holdfast-world.ts';

/** What mosquitto_pub, _sub and _rr need to connect as a device, with QoS 1. */
export function mosquittoOptions(
  world: HoldfastWorld,
  device: EnrolledDevice,
  port: number = world.ports.mqtt,
): readonly string[] {
  const where = ['-h', HOST, '-p', String(port), '--cafile', world.rootFile];
  return [...where, '--cert', device.certificateFile, '--key', device.keyFile, '-i', device.deviceId, '-q', '1'];
}
