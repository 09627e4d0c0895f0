export interface TpmAuthorityTable {
  tenant: string;
  fingerprint: string;
  der: Uint8Array;
  claim_id: string;
  created_at: number;
  created_by: string;
}

export interface TpmEndorsementTable {
  tenant: string;
  key_sha256: string;
  claim_id: string;
  serial_number: string;
  created_at: number;
  created_by: string;
}

interface DeviceTpmTable {
  tenant: string;
  device_id: string;
  attestation_key: Uint8Array;
  endorsement_sha256: string;
  trust: string;
  enrolled_at: number;
  reset_count: number | null;
  restart_count: number | null;
}

export interface TpmReferenceTable {
  tenant: string;
  product: string;
  version: string;
  hardware_revision: string;
  counter: number;
  /** JSON object, register to hex. */
  pcrs: string;
  recorded_at: number;
  recorded_by: string;
}

interface TpmAnswerTable {
  tenant: string;
  challenge_sha256: string;
  expires_at: number;
}

export interface TpmTables {
  tpm_authorities: TpmAuthorityTable;
  tpm_endorsements: TpmEndorsementTable;
  device_tpms: DeviceTpmTable;
  tpm_references: TpmReferenceTable;
  tpm_answers: TpmAnswerTable;
}
