export type {
  AttestationDoor,
  AttestationResult,
  Challenge,
  DevicePosture,
  DeviceRights,
  PostureReader,
} from './contracts.ts';
