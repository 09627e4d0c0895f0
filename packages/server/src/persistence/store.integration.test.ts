import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { describeStore } from './conformance/describe-store.ts';
import { openStore } from './open-store.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-store-'));
let made = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const current = () => path.join(folder, `${made}.db`);

describeStore(
  'SQLite on file',
  (clock) => {
    made++;
    return openStore({ location: current(), clock });
  },
  (clock) => openStore({ location: current(), clock }),
);
