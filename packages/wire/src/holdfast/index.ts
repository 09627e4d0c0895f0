export {
  BOOT_STATES,
  type BootState,
  decodeEvidenceNonce,
  decodeEvidenceReply,
  decodeHoldfastRejection,
  decodeRenewalReply,
  decodeTimeReply,
  type EvidenceNonce,
  type EvidenceReply,
  encodeEvidenceNonce,
  encodeEvidenceReply,
  encodeHoldfastRejection,
  encodeRenewalReply,
  encodeTimeReply,
  type HoldfastRejection,
} from './evidence-messages.ts';
export { type KeyDestroyed, parseDestruction } from './destruction.ts';
export {
  decodeFirmwareJob,
  encodeFirmwareJob,
  FIRMWARE_OPERATION,
  type FirmwareJob,
  type FreeRtosOta,
} from './firmware-job.ts';
export { decodeHealthReport, encodeHealthReport, type HealthReport } from './health-message.ts';
export {
  decodeRatchetProof,
  encodeRatchetProof,
  RATCHET_HEADER,
  RATCHET_USER_NAME,
  RATCHET_VALUE_BYTES,
} from './ratchet.ts';
export {
  acceptedTopic,
  HOLDFAST_REQUESTS,
  HOLDFAST_TOPIC_ROOT,
  type HoldfastRequest,
  holdfastTopic,
  parseHoldfastTopic,
  rejectedTopic,
} from './topics.ts';
