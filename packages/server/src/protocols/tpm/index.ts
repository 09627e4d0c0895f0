export { tpmRoutes } from './tpm-routes.ts';
