export type { OpenStore } from './assemble-store.ts';
export { openStore } from './open-store.ts';
export { query } from './schema.ts';
export { compileWrite } from './write.ts';
