import { run } from '../harness/processes.ts';
import { versionOf } from '../harness/machine.ts';

export const hasOpenssl = (): boolean => versionOf('openssl', ['version']) !== undefined;

/** What the processor can do at most, as `openssl speed` counts it: in CPU time, on one core. */
export interface SpeedLimit {
  /** Seconds of CPU for one operation. */
  readonly signP256: number;
  readonly verifyP256: number;
  readonly deriveX25519: number;
}

export async function publicKeySpeed(seconds = 1): Promise<SpeedLimit> {
  const out = await run('openssl', ['speed', '-mr', '-seconds', String(seconds), 'ecdsap256', 'ecdhx25519']);
  // +F4 (ECDSA) and +F5 (ECDH) rows: index, bits, then operations a second or seconds an operation.
  const ecdsa = /^\+F4:\d+:256:([\d.]+):([\d.]+)/m.exec(out);
  const ecdh = /^\+F5:\d+:253:([\d.]+)/m.exec(out);
  return { signP256: each(ecdsa?.[1]), verifyP256: each(ecdsa?.[2]), deriveX25519: each(ecdh?.[1]) };
}

/** Some versions give a rate, others the time of one: nothing here takes as long as a second. */
function each(text: string | undefined): number {
  const value = Number(text);
  return value > 1 ? 1 / value : value;
}

/** Octets a CPU second. */
export async function bulkSpeed(algorithm: 'sha256' | 'aes-256-gcm', size: number, seconds = 1): Promise<number> {
  const out = await run('openssl', [
    'speed',
    '-mr',
    '-seconds',
    String(seconds),
    '-bytes',
    String(size),
    '-evp',
    algorithm,
  ]);
  const match = /^\+F:\d+:[^:]+:([\d.]+)/m.exec(out);
  return Number(match?.[1]);
}
