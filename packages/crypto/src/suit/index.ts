export { prepareSuitEnvelope, type PreparedSuitEnvelope, verifySuitEnvelope } from './envelope.ts';
