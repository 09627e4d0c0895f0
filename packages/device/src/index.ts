export {
  BOARDS,
  type BoardLayout,
  type BoardName,
  type BootEvent,
  type BootResult,
  encodeBootProgram,
  type Fault,
  PowerSupply,
  slotBytes,
} from '@holdfast/crypto/virtual-chip';
export { DeviceAgent } from './agent/device-agent.ts';
export { DeviceRecords, type PendingUpdate } from './agent/device-records.ts';
export type { AgentEvent, ResetReason } from './agent/events.ts';
export { type InstalledRelease, judgeManifest, MANIFEST_RULES, type ManifestFacts } from './agent/manifest-policy.ts';
export type { DevicePlatform, DeviceProfile } from './agent/platform.ts';
export { HoldfastRequests } from './agent/prover.ts';
export {
  type AgentOptions,
  type AgentTimings,
  type ClaimCredential,
  DEFAULT_TIMINGS,
  type EnrollmentPlan,
  type ServerAddress,
  type Transport,
} from './agent/settings.ts';
export { EstClient, type EstReply, type EstServer } from './enroll/est-client.ts';
export { type ProvisioningPlan, provisionFleetDevice, recoverFleetDevice } from './enroll/fleet-provisioning.ts';
export { renewalTime } from './enroll/renewal.ts';
export { enrollByTpm, postJsonOver, type PostJson, type TpmEnrollmentParts } from './enroll/tpm-enrollment.ts';
export { type FactoryOrder, type ManufacturedDevice, manufactureDevice, openDevice } from './factory/manufacture.ts';
export { HttpsClient, type HttpsReply, type HttpsRequest } from './net/https-client.ts';
export {
  type MessageHandler,
  MqttConnection,
  type MqttConnectOptions,
  type MqttExchange,
} from './net/mqtt-connection.ts';
export type { ServerTrust, TlsCredentials } from './net/tls-options.ts';
export { runVirtualDevice, type VirtualDeviceRun } from './run-virtual-device.ts';
export { type DeviceStore, FileStore, MemoryStore } from './store/device-store.ts';
export { type DeviceIdentity, IdentityStore } from './store/identity-store.ts';
export { FileKeyStore } from './keys/file-key-store.ts';
export {
  destroyKey,
  destructionStatement,
  type DeviceKey,
  type HardwareKey,
  type KeyDestruction,
  type KeyStore,
  signerOf,
  softwareKeyOf,
  type TlsKey,
} from './keys/key-store.ts';
export { Pkcs11KeyStore, type Pkcs11Token } from './keys/pkcs11-key-store.ts';
export { type EndorsementKey, TpmIdentity } from './keys/tpm-identity.ts';
export { TpmKeyStore } from './keys/tpm-key-store.ts';
export { openTpmTransport, type TpmTransport } from './keys/tpm-transport.ts';
export { Tpm } from './keys/tpm.ts';
export { endorseTpm, virtualTpm } from './keys/virtual-tpm.ts';
export { JobsClient, type StatusDetails } from './update/jobs-client.ts';
export { VirtualDevice, type VirtualDeviceOptions } from './virtual/device.ts';
