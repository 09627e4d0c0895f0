/** Devices of the registry. */
export interface DeviceTable {
  tenant: string;
  device_id: string;
  product: string;
  serial_number: string;
  hardware_revision: string;
  /** A `DeviceState`. */
  state: string;
  state_reason: string | null;
  /** JSON object of texts. */
  attributes: string;
  ueid: string | null;
  /** DER SubjectPublicKeyInfo. */
  attestation_anchor: Uint8Array | null;
  claim_id: string | null;
  created_at: number;
  enrolled_at: number | null;
  revision: number;
  /** Code over the row; `RowSeal` says of what. */
  mac: Uint8Array | null;
}

interface DeviceGroupTable {
  tenant: string;
  group_name: string;
  device_id: string;
}

/** Every certificate ever issued. */
export interface CertificateTable {
  fingerprint: string;
  tenant: string;
  serial_number: string;
  /** A `CertificateProfile`. */
  profile: string;
  /** A `CertificateState`. */
  state: string;
  der: Uint8Array;
  spki_sha256: string;
  issuer: string;
  subject_id: string | null;
  claim_id: string | null;
  key_origin: string;
  door: string;
  not_before: number;
  not_after: number;
  issued_at: number;
  first_used_at: number | null;
  revoked_at: number | null;
  revocation_reason: string | null;
  mac: Uint8Array | null;
}

/** One owner for each public key, over all tenants. */
interface KeyOwnerTable {
  spki_sha256: string;
  tenant: string;
  kind: string;
  owner_id: string;
}

export interface ClaimTable {
  tenant: string;
  claim_id: string;
  product: string;
  hardware_revision: string;
  /** JSON list of group names. */
  group_names: string;
  fingerprint: string;
  state: string;
  scope: string;
  quota: number;
  used: number;
  expires_at: number;
  auto_register: number;
  created_at: number;
  created_by: string;
  template: string | null;
  mac: Uint8Array | null;
}

interface ClaimSerialTable {
  tenant: string;
  claim_id: string;
  serial_number: string;
  used_at: number | null;
}

export interface OwnershipTokenTable {
  token_sha256: string;
  tenant: string;
  claim_id: string;
  connection_id: string;
  fingerprint: string;
  state: string;
  expires_at: number;
  device_id: string | null;
}

export interface CrlTable {
  issuer: string;
  number: number;
  this_update: number;
  next_update: number;
  der: Uint8Array;
  base_number: number | null;
  base_update: number | null;
}

export interface CertificateHoldTable {
  serial_number: string;
  issuer: string;
  not_after: number;
  held_at: number;
  released_at: number | null;
}

export interface OperatorTable {
  tenant: string;
  name: string;
  role: string;
  state: string;
  created_at: number;
  created_by: string;
}

export interface OneTimePasswordTable {
  password_id: string;
  tenant: string;
  claim_id: string;
  serial_number: string | null;
  verifier: Uint8Array;
  state: string;
  expires_at: number;
  created_at: number;
  created_by: string;
  used_at: number | null;
  used_key: string | null;
}

export interface EnrollmentRequestTable {
  request_id: string;
  tenant: string;
  claim_id: string;
  product: string;
  serial_number: string;
  spki_sha256: string;
  state: string;
  remote_address: string;
  created_at: number;
  expires_at: number;
  decided_by: string | null;
  certificate: string | null;
}

export interface ProvisioningTemplateTable {
  tenant: string;
  name: string;
  kind: string;
  product: string;
  /** JSON of a `ProvisioningRule`. */
  rule: string | null;
  /** JSON of a `ProvisioningWebhook`. */
  webhook: string | null;
  version: number;
  used: number;
  created_at: number;
  changed_at: number;
}

interface ProvisioningTemplateVersionTable {
  tenant: string;
  name: string;
  version: number;
  body: string;
  created_at: number;
  created_by: string;
}

export interface ManufacturerTable {
  tenant: string;
  fingerprint: string;
  state: string;
  registration: string;
  product: string;
  hardware_revision: string;
  template: string | null;
  created_at: number;
  created_by: string;
}

interface TicketEpochTable {
  tenant: string;
  epoch: number;
}

export interface IdentityTables {
  devices: DeviceTable;
  device_groups: DeviceGroupTable;
  certificates: CertificateTable;
  key_owners: KeyOwnerTable;
  claims: ClaimTable;
  claim_serials: ClaimSerialTable;
  ownership_tokens: OwnershipTokenTable;
  one_time_passwords: OneTimePasswordTable;
  provisioning_templates: ProvisioningTemplateTable;
  provisioning_template_versions: ProvisioningTemplateVersionTable;
  manufacturers: ManufacturerTable;
  enrollment_requests: EnrollmentRequestTable;
  crls: CrlTable;
  operators: OperatorTable;
  ticket_epochs: TicketEpochTable;
  certificate_holds: CertificateHoldTable;
}
