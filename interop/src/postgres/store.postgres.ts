import { describeStore } from '../../../packages/server/src/persistence/conformance/describe-store.ts';
import { openPostgres } from '../../../packages/server/src/persistence/postgres/open.ts';
import { addressOf } from './address.ts';
import { freshDatabase } from './database.ts';

let current = '';

describeStore(
  'PostgreSQL',
  async (clock) => {
    current = await freshDatabase();
    return openPostgres({ address: addressOf(current), clock });
  },
  (clock) => openPostgres({ address: addressOf(current), clock }),
);
