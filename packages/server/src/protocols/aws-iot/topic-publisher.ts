import type { DeviceId, Tenant } from '@holdfast/trust/ports';

/** Publishes as the server itself, through subscriptions and policy like any other message. */
export interface TopicPublisher {
  /** A device that is away asks for its jobs when it comes back; nothing is read for it now. */
  isConnected(tenant: Tenant, deviceId: DeviceId): boolean;
  /** At QoS 1, lowered to what each subscriber asked for. */
  publish(tenant: Tenant, topic: string, payload: Uint8Array): Promise<void>;
}
