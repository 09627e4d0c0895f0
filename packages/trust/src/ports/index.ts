export type * from './audit.ts';
export type * from './communication.ts';
export type * from './events.ts';
export type * from './identity.ts';
export * from './ids.ts';
export type * from './posture.ts';
export type * from './storage.ts';
export type * from './store.ts';
export type * from './update.ts';
