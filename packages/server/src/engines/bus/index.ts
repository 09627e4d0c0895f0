export type * from './bus.ts';
export { MemoryBus, MemoryHub } from './memory-bus.ts';
export { type NatsAddress, resolveNats } from './nats-address.ts';
