import { type PublicKeyKind } from '@holdfast/wire/x509';
import { encodeHex } from '@holdfast/kernel';

/** Why a key must not be certified. */
export type KeyWeakness = 'kind' | 'rsa-size' | 'rsa-exponent' | 'rsa-factor' | 'roca';

const MIN_MODULUS_BITS = 2048;
const MAX_MODULUS_BITS = 8192; // Larger keys only buy an attacker our CPU time.
const MIN_EXPONENT = 65_537n; // FIPS 186-5 5.1: odd and over 2^16.

/** The first weakness found, or undefined. P-256, P-384, P-521, Ed25519, ML-DSA and RSA of 2048-8192 bits may pass. */
export function keyWeakness(key: PublicKeyKind): KeyWeakness | undefined {
  if (key.kind === 'ec' || key.kind === 'ed25519' || key.kind === 'ml-dsa') return undefined;
  if (key.kind !== 'rsa') return 'kind';
  if (key.modulusBits < MIN_MODULUS_BITS || key.modulusBits > MAX_MODULUS_BITS) return 'rsa-size';
  if (key.exponent < MIN_EXPONENT || key.exponent % 2n === 0n) return 'rsa-exponent';
  const modulus = BigInt(`0x${encodeHex(key.modulus)}`);
  if (SMALL_PRIMES.some((prime) => modulus % prime === 0n)) return 'rsa-factor';
  return isRoca(modulus) ? 'roca' : undefined;
}

const SMALL_PRIMES = primesBelow(752).map(BigInt);

/** The subgroup 65537 generates modulo each prime: primes of CVE-2017-15361 keys always fall into it. */
const ROCA_RESIDUES = primesBelow(168)
  .filter((prime) => prime > 2)
  .map((prime) => ({ prime: BigInt(prime), residues: subgroup(prime) }));

/** Nemec et al., "The Return of Coppersmith's Attack" (2017), section 2: a chance hit is under 2^-27. */
function isRoca(modulus: bigint): boolean {
  return ROCA_RESIDUES.every(({ prime, residues }) => residues.has(Number(modulus % prime)));
}

function subgroup(prime: number): ReadonlySet<number> {
  const residues = new Set<number>();
  for (let power = 1; !residues.has(power); power = (power * 65_537) % prime) residues.add(power);
  return residues;
}

function primesBelow(limit: number): number[] {
  const primes: number[] = [];
  for (let n = 2; n < limit; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
}
