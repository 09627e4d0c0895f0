import { describeStore } from './conformance/describe-store.ts';
import { openStore } from './open-store.ts';

describeStore('SQLite in memory', (clock) => openStore({ location: ':memory:', clock }));
