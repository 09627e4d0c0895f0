import type { Migration } from '../migrate.ts';
import { LOG_0001 } from './0001-log.ts';
import { IDENTITY_0002 } from './0002-identity.ts';
import { POSTURE_0003 } from './0003-posture.ts';
import { UPDATE_0004 } from './0004-update.ts';
import { COMMUNICATION_0005 } from './0005-communication.ts';
import { STORAGE_0006 } from './0006-storage.ts';
import { OPERATORS_0007 } from './0007-operators.ts';
import { REVOCATION_LISTS_0009 } from './0009-revocation-lists.ts';
import { TICKET_EPOCHS_0008 } from './0008-ticket-epochs.ts';
import { SHADOWS_AND_SINKS_0010 } from './0010-shadows-and-sinks.ts';
import { EST_0011 } from './0011-est.ts';
import { PROVISIONING_0012 } from './0012-provisioning.ts';
import { TPM_0014 } from './0014-tpm.ts';
import { CLUSTER_0018 } from './0018-cluster.ts';
import { RENEWAL_0016 } from './0016-renewal.ts';
import { REHEARSALS_0017 } from './0017-rehearsals.ts';

/** Every step of the schema. A room adds its own under the next free number. */
export const MIGRATIONS: readonly Migration[] = [
  LOG_0001,
  IDENTITY_0002,
  POSTURE_0003,
  UPDATE_0004,
  COMMUNICATION_0005,
  STORAGE_0006,
  OPERATORS_0007,
  TICKET_EPOCHS_0008,
  REVOCATION_LISTS_0009,
  SHADOWS_AND_SINKS_0010,
  EST_0011,
  PROVISIONING_0012,
  TPM_0014,
  RENEWAL_0016,
  REHEARSALS_0017,
  CLUSTER_0018,
];
