export type * from './bus.ts';
export { MemoryBus, MemoryHub } from './memory-bus.ts';
export { resolveNats } from './nats-address.ts';
