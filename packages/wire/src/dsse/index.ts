export { decodeDsseEnvelope, type DsseEnvelope, type DsseSignature, encodeDsseEnvelope, encodePae } from './dsse.ts';
