import type { Migration } from '../migrate.ts';
import { LOG_0001 } from './0001-log.ts';

/** Every step of the schema. A room adds its own under the next free number. */
export const MIGRATIONS: readonly Migration[] = [LOG_0001];
