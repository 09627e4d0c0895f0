export { decodePem, decodePemBlocks, encodePem, type PemBlock } from './pem.ts';
