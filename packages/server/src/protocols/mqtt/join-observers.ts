import type { MqttObserver } from './ports.ts';

/** Tells several, in order. */
export function joinObservers(...observers: readonly MqttObserver[]): Required<MqttObserver> {
  return {
    connected: (connection) => observers.forEach((each) => each.connected?.(connection)),
    disconnected: (connection, cause) => observers.forEach((each) => each.disconnected?.(connection, cause)),
    takenOver: (previous, next) => observers.forEach((each) => each.takenOver?.(previous, next)),
    subscribed: (connection, filters) => observers.forEach((each) => each.subscribed?.(connection, filters)),
    unsubscribed: (connection, filters) => observers.forEach((each) => each.unsubscribed?.(connection, filters)),
  };
}
