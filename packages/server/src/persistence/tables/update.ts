export interface ReleaseTable {
  tenant: string;
  release_id: string;
  product: string;
  hardware_revision: string;
  version: string;
  counter: number;
  sequence: number;
  state: string;
  artifact_id: string;
  /** Hex SHA-256. */
  image_sha256: string;
  image_length: number;
  /** Hex SHA-256. */
  measurement: string;
  stream_id: string;
  /** JSON DSSE envelope. */
  manifest: string;
  signatures: number;
  threshold: number;
  /** Base64 DER. */
  file_signature: string;
  created_at: number;
  created_by: string;
}

interface ReleaseRootTable {
  tenant: string;
  version: number;
  /** JSON, signed. */
  document: string;
  /** JSON list of key ids. */
  local_key_ids: string;
  created_at: number;
}

export interface RolloutTable {
  tenant: string;
  rollout_id: string;
  release_id: string;
  product: string;
  version: string;
  /** JSON `RolloutTarget`. */
  target: string;
  state: string;
  /** Flag. */
  queueing_done: number;
  queueing_after: string | null;
  created_at: number;
  created_by: string;
  revision: number;
}

export interface JobTable {
  tenant: string;
  job_id: string;
  release_id: string | null;
  /** JSON object. */
  document: string;
  state: string;
  in_progress_timeout_minutes: number | null;
  created_at: number;
  created_by: string;
}

export interface JobExecutionTable {
  tenant: string;
  device_id: string;
  job_id: string;
  execution_number: number;
  release_id: string | null;
  status: string;
  /** Flag: QUEUED or IN_PROGRESS. */
  open: number;
  /** Flag. */
  awaiting_proof: number;
  outcome: string | null;
  reason: string | null;
  /** JSON object of texts. */
  status_details: string;
  version_number: number;
  queued_at: number;
  started_at: number | null;
  last_updated_at: number;
  step_deadline_at: number | null;
  in_progress_deadline_at: number | null;
  /** The earlier of the two; null when there is none. */
  deadline_at: number | null;
  tried_at: number | null;
  revision: number;
}

interface ReleaseRehearsalTable {
  tenant: string;
  release_id: string;
  /** Hex SHA-256. */
  subject_sha256: string;
  result: string;
  /** JSON `RehearsalReport`. */
  report: string;
  rehearsed_at: number;
  rehearsed_by: string;
}

export interface UpdateTables {
  releases: ReleaseTable;
  release_roots: ReleaseRootTable;
  rollouts: RolloutTable;
  jobs: JobTable;
  job_executions: JobExecutionTable;
  release_rehearsals: ReleaseRehearsalTable;
}
