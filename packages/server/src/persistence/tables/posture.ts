export interface ProductTable {
  tenant: string;
  name: string;
  /** JSON list. */
  hardware_revisions: string;
  evidence: string;
  minimum_version: string | null;
  minimum_counter: number;
  image_key_id: string | null;
  /** JSON `BootLayout`. */
  boot: string;
  /** JSON list of policy names. */
  policies: string;
  /** JSON list of policy names. */
  restricted_policies: string;
  /** JSON object of texts. */
  device_configuration: string;
  certificate_days: number;
  /** JSON `EnrollmentTerms`. */
  enrollment: string;
  created_at: number;
  revision: number;
}

interface ProductImageKeyTable {
  tenant: string;
  product: string;
  key_id: string;
  slot: number;
  state: string;
  custody: string;
  /** DER SubjectPublicKeyInfo. */
  spki: Uint8Array;
  added_at: number;
  added_by: string;
  changed_at: number;
  revision: number;
}

export interface ReferenceValueTable {
  tenant: string;
  product: string;
  /** Hex SHA-256. */
  digest: string;
  hardware_revision: string;
  version: string;
  counter: number;
  release_id: string | null;
  recorded_at: number;
}

export interface PostureTable {
  tenant: string;
  device_id: string;
  posture: string;
  /** JSON list of `{code, words}`. */
  reasons: string;
  since: number;
  /** JSON `AcceptedEvidence`. */
  evidence: string | null;
  revision: number;
}

interface AttestationNonceTable {
  nonce_sha256: string;
  tenant: string;
  device_id: string;
  expires_at: number;
}

export interface PostureTables {
  products: ProductTable;
  product_image_keys: ProductImageKeyTable;
  reference_values: ReferenceValueTable;
  postures: PostureTable;
  attestation_nonces: AttestationNonceTable;
}
