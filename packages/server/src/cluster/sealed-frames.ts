import { hkdf, openAesGcm, sealAesGcm } from '@holdfast/crypto';
import { ByteReader, ByteWriter, concatBytes, encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';

const LIFE_BYTES = 16;
const HEAD_BYTES = LIFE_BYTES + 8;
const MAX_KEYS = 1_000;

export interface OpenedFrame {
  /** The sender's life, hex. */
  readonly sender: string;
  /** Counts a sender's frames on a subject, from 1. */
  readonly sequence: number;
  readonly content: Uint8Array;
}

/**
 * Frames as they cross the bus: AES-256-GCM under a key of the sender's life and the subject, made from the root key.
 * Whoever runs the bus can neither read nor make one, nor move one to another subject.
 *
 * Layout: life of the sender (16 octets), sequence (u64), sealed content; the sequence is the nonce, so a key never
 * meets one twice.
 */
export class SealedFrames {
  readonly #secret: Uint8Array;
  readonly #life: Uint8Array;
  readonly #keys = new Map<string, Uint8Array>();
  readonly #sent = new Map<string, number>();

  constructor(secret: Uint8Array, life: Uint8Array) {
    this.#secret = secret;
    this.#life = life;
  }

  /** How many were sealed for a subject. */
  sent(subject: string): number {
    return this.#sent.get(subject) ?? 0;
  }

  seal(subject: string, content: Uint8Array): Uint8Array {
    const sequence = this.sent(subject) + 1;
    this.#sent.set(subject, sequence);
    const head = new ByteWriter().bytes(this.#life).u64be(BigInt(sequence)).finish();
    const key = this.#key(this.#life, subject);
    return concatBytes(head, sealAesGcm({ key, nonce: nonceOf(sequence), aad: encodeUtf8(subject) }, content));
  }

  /** @throws `crypto.open_failed` for what no node of this cluster made for the subject. */
  open(subject: string, frame: Uint8Array): OpenedFrame {
    if (frame.length < HEAD_BYTES) throw new HoldfastError('crypto.open_failed', { reason: 'too short' });
    const reader = new ByteReader(frame);
    const life = reader.take(LIFE_BYTES, 'sender');
    const sequence = Number(reader.u64be('sequence'));
    if (!Number.isSafeInteger(sequence)) throw new HoldfastError('crypto.open_failed', { reason: 'sequence' });
    const key = this.#key(life, subject);
    const content = openAesGcm(
      { key, nonce: nonceOf(sequence), aad: encodeUtf8(subject) },
      frame.subarray(reader.offset),
    );
    return { sender: encodeHex(life), sequence, content };
  }

  #key(life: Uint8Array, subject: string): Uint8Array {
    const name = `${encodeHex(life)} ${subject}`;
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const info = encodeUtf8(`holdfast/bus/${subject}`);
    const key = hkdf('sha256', { key: this.#secret, salt: life, info, length: 32 });
    if (this.#keys.size >= MAX_KEYS) this.#keys.clear();
    this.#keys.set(name, key);
    return key;
  }
}

function nonceOf(sequence: number): Uint8Array {
  return new ByteWriter().u32be(0).u64be(BigInt(sequence)).finish();
}
