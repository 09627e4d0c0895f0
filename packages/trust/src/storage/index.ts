export type { NewArtifact } from './artifact-content.ts';
export { Artifacts, type ArtifactsPorts } from './artifacts.ts';
export { KEY_MACHINE, type KeyEvent, mayProcess, mayProtect } from './key-states.ts';
export { Keyring, type KeyringPorts, type KeyVersion } from './keyring.ts';
export { IntegrityPatrol, type PatrolPorts, type PatrolReport, type PatrolSettings } from './patrol.ts';
export { Rewrap, type RewrapPorts, type RewrapReport } from './rewrap.ts';
export { SealedFields, type Sealing } from './sealed-fields.ts';
export { type CreatedKey, type NewKey, SealedKeys, type SealedKeysPorts } from './sealed-keys.ts';
export { SealedSecrets, type SealedSecretsPorts, type SecretListing } from './sealed-secrets.ts';
