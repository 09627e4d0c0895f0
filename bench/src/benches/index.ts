import type { Bench } from '../harness/bench.ts';
import { connectCold, connectResumed } from './connect.ts';
import { download } from './download.ts';
import { durableWrites } from './durable.ts';
import { envelope } from './envelope.ts';
import { FAN_BENCHES } from './fan.ts';
import { firmware } from './firmware.ts';
import { install } from './install.ts';
import { issuance } from './issuance.ts';
import { connectionMemory, start } from './memory.ts';
import { ocspAnswers } from './ocsp.ts';
import { registry } from './registry.ts';
import { revocationToCut } from './revocation.ts';

/** Every bench, in the order of a whole run. */
export const BENCHES: readonly Bench[] = [
  connectCold,
  connectResumed,
  ...FAN_BENCHES,
  issuance,
  ocspAnswers,
  durableWrites,
  registry,
  revocationToCut,
  firmware,
  download,
  start,
  connectionMemory,
  install,
  envelope,
];
