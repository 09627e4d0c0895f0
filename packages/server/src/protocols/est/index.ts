export { type EstPorts, estRoutes } from './est-routes.ts';
