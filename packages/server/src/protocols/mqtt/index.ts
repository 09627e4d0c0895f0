/** The MQTT core, transport-agnostic: 3.1.1 and 5, QoS 0 to 2, sessions, retained messages, wills. */
export { MqttBroker } from './broker.ts';

export { PeerSide } from './peer-side.ts';
export type * from './peers.ts';

export { joinObservers } from './join-observers.ts';

export { MemoryStore } from './memory-store.ts';

export type * from './ports.ts';
export { AWS_PROFILE, type MqttProfile, PROFILES } from './profiles.ts';
export { eventLoopTurn, SocketTransport } from './socket-transport.ts';
