export { decodeCertsOnly, encodeCertsOnly } from './certs-only.ts';
