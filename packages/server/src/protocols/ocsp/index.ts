export { OCSP_PATH, ocspRoutes, plainTarget } from './ocsp-routes.ts';
