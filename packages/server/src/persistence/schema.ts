import { Kysely } from 'kysely';
import { SQLITE_COMPILER } from './dialects/sqlite.ts';
import type { CommunicationTables } from './tables/communication.ts';
import type { IdentityTables } from './tables/identity.ts';
import type { LogTables } from './tables/log.ts';
import type { PostureTables } from './tables/posture.ts';
import type { RenewalTables } from './tables/renewal.ts';
import type { StorageTables } from './tables/storage.ts';
import type { TpmTables } from './tables/tpm.ts';
import type { UpdateTables } from './tables/update.ts';

/** Every table. A room adds `tables/<room>.ts` and extends this interface with it. */
export interface Schema
  extends LogTables,
    IdentityTables,
    PostureTables,
    UpdateTables,
    StorageTables,
    RenewalTables,
    TpmTables,
    CommunicationTables {}

/** Builds and compiles SQL; it holds no connection and cannot run any. */
export const query: Kysely<Schema> = new Kysely<Schema>({ dialect: SQLITE_COMPILER });
