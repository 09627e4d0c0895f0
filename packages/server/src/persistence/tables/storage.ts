export interface TenantKeyTable {
  tenant: string;
  version: number;
  state: string;
  wrapped: Uint8Array | null;
  created_at: number;
  changed_at: number;
}

export interface SealedRecordTable {
  tenant: string;
  kind: string;
  id: string;
  version: number;
  sealed: Uint8Array;
  key_version: number;
  created_at: number;
}

export interface KeyPairTable {
  tenant: string;
  key_id: string;
  version: number;
  usage: string;
  spki: Uint8Array;
  state: string;
  created_at: number;
  changed_at: number;
}

export interface ArtifactTable {
  artifact_id: string;
  tenant: string;
  size: number;
  sha256: string;
  state: string;
  head: Uint8Array;
  key_version: number;
  created_at: number;
  checked_at: number;
}

export interface StorageTables {
  tenant_keys: TenantKeyTable;
  sealed_records: SealedRecordTable;
  key_pairs: KeyPairTable;
  artifacts: ArtifactTable;
}
