import type { Bench } from '../harness/bench.ts';
import { connectCold, connectResumed } from './connect.ts';

export const BENCHES: readonly Bench[] = [connectCold, connectResumed];
