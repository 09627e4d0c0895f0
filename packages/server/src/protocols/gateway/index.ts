export {
  AUDIT_TRAIL_LIMITS,
  AuditTrail,
  type AuditTrailLimits,
  type AuditTrailPorts,
  auditHandshakes,
  type RefusedHandshake,
} from './audit-trail.ts';
export type { GateCounters } from './connect-gate.ts';
export { EventReactions, type EventReactionsPorts, REACTIONS } from './event-reactions.ts';
export { listenOn } from './listen.ts';
export { ADMISSION_LIMITS, type AdmissionLimits, IDENTITY_RATE } from './limits.ts';
export { type Admission, PeerAdmission, type PeerAdmissionPorts, peerFingerprint } from './peer-admission.ts';
export { PresenceBoard, type PresenceChange, type PresenceListener } from './presence.ts';
export {
  type ServerCertificate,
  type ServerCertificatePorts,
  ServerCertificateRenewal,
} from './server-certificate.ts';
export {
  type Connection,
  type CutReason,
  type CutResult,
  type CutTarget,
  type Session,
  SessionTable,
} from './session-table.ts';
export { TlsDoor, type TlsDoorOptions } from './tls-door.ts';
export { type ServerMaterial } from './tls-settings.ts';
export { MqttAuthenticator, type MqttAuthenticatorPorts } from './mqtt-authenticator.ts';
export { gatewayObserver, type GatewayObserverPorts, MqttDoor, type MqttDoorOptions, purgeMqtt } from './mqtt-door.ts';
export { deviceSessionKey, GatewayPrincipal } from './mqtt-principal.ts';
