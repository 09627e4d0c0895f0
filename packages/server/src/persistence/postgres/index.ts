export { resolvePostgres } from './address.ts';
export { openPostgres } from './open.ts';
