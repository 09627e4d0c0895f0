export { type OpenStore, openStore } from './open-store.ts';
export { query } from './schema.ts';
export { compileWrite } from './write.ts';
