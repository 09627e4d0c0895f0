export { estRoutes } from './est-routes.ts';
