import type { MqttVersion, Qos } from '@holdfast/wire/mqtt';
import type { Message } from './message.ts';
import type { ConnectionInfo, DeliveryState } from './ports.ts';

/** A QoS 1 or 2 message for one session, until it is acknowledged. */
export interface Delivery {
  readonly order: number;
  readonly message: Message;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly subscriptionIds: readonly number[];
  /** Skips the policy at delivery (replies the router marked). */
  readonly unpoliced: boolean;
  packetId: number;
  state: DeliveryState;
  /** Sent on the present connection and not acknowledged: it takes room in the window. */
  outstanding: boolean;
}

/** The connection of a session, as the session sees it. */
export interface Link {
  readonly info: ConnectionInfo;
  readonly version: MqttVersion;
  /** How many QoS 1 and 2 messages may be unacknowledged. */
  readonly window: number;
  /** Too much is unsent already: nothing new is sent until the transport has drained. */
  readonly congested: boolean;
  mayReceive(topic: string): boolean;
  /** Its queue grows long: who publishes to it is to rest a little. */
  fallBehind(): void;
  sendQos0(message: Message, retain: boolean, subscriptionIds: readonly number[]): void;
  /** False when the packet is larger than the client takes [MQTT-3.1.2-24]. */
  sendDelivery(delivery: Delivery, dup: boolean): boolean;
  sendRelease(packetId: number): void;
  /** Ends the connection because another has the session now. */
  takeOver(): void;
}
