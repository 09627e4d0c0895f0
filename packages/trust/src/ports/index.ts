export type * from './audit.ts';
export type * from './events.ts';
export * from './ids.ts';
export type * from './store.ts';
