export { type ColumnTypes, type Migration } from './migrate.ts';
export { type OpenStore, openStore, type StoreOptions } from './open-store.ts';
export type { Reader } from './reader.ts';
export { query, type Schema } from './schema.ts';
export type { StoreCounters } from './sqlite-store.ts';
export { compileWrite, defineWrite, type SqlValue, type WriteOptions } from './write.ts';
