/** Cryptographic randomness as a port. */
export interface Random {
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

const CHUNK = 65_536; // crypto.getRandomValues refuses more in one call (Web Cryptography 10.1.1).

/** The randomness of the machine. */
export const systemRandom: Random = {
  bytes(length) {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += CHUNK) {
      crypto.getRandomValues(bytes.subarray(at, Math.min(at + CHUNK, length)));
    }
    return bytes;
  },
};

/** A repeatable stream for tests and simulations (xorshift32); never for keys. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0 || 0x9e3779b9;
  return {
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) {
        state ^= state << 13;
        state >>>= 0;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        bytes[i] = state & 0xff;
      }
      return bytes;
    },
  };
}
