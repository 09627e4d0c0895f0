import {
  concatBytes,
  decodeBase64,
  decodeUtf8,
  encodeBase64,
  encodeHex,
  encodeUtf8,
  equalBytes,
  HoldfastError,
} from '@holdfast/kernel';
import { decodeSpki, encodeEdwardsSpki } from '@holdfast/wire/x509';
import { importPublicKey, type PublicKey } from '../keys/public-key.ts';
import type { Signer } from '../keys/signer.ts';
import { verifySignature } from '../keys/verify.ts';
import { sha256 } from '../primitives/hash.ts';

/** A signed note's signature line (C2SP signed-note). */
export interface NoteSignature {
  readonly name: string;
  /** 4 octets. */
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

export interface SignedNote {
  /** Ends in a line feed; the signatures cover exactly these bytes. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A key that signs notes by Ed25519, with the name it goes by. */
export interface NoteKey {
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly publicKey: PublicKey;
}

const ED25519 = 0x01;
const MAX_NOTE = 1024 * 1024;
const MAX_SIGNATURES = 64;

/** A note key from an Ed25519 SPKI. @throws `wire.malformed` for a name the format cannot carry. */
export function noteKey(name: string, spki: Uint8Array): NoteKey {
  checkName(name);
  return { name, keyId: noteKeyId(name, decodeSpki(spki).key), publicKey: importPublicKey(spki) };
}

/** Reads `name+hash+base64` as C2SP signed-note writes a verifier key. @throws `wire.malformed` */
export function decodeNoteKey(text: string): NoteKey {
  // Base64 has plus signs of its own: only the first two part the text.
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text);
  const [, name = '', hash, encoded = ''] = match ?? [];
  const bytes = decodeBase64(encoded, 'note key');
  if (match === null || bytes.length !== 33 || bytes[0] !== ED25519) throw malformed('note key');
  const key = noteKey(name, encodeEdwardsSpki('ed25519', bytes.subarray(1)));
  if (encodeHex(key.keyId) !== hash) throw malformed('note key');
  return key;
}

export function encodeNoteKey({ name, keyId, publicKey }: NoteKey): string {
  const key = decodeSpki(publicKey.spki).key;
  return `${name}+${encodeHex(keyId)}+${encodeBase64(concatBytes(Uint8Array.of(ED25519), key))}`;
}

/** Signs a text as one signer. The text ends in a line feed and has no other control character. */
export async function signNote(text: string, name: string, signer: Signer): Promise<string> {
  checkText(text);
  if (signer.algorithm !== 'ed25519') throw new HoldfastError('crypto.unsupported_algorithm', {});
  const { keyId } = noteKey(name, signer.publicKeySpki);
  const signature = await signer.sign(encodeUtf8(text));
  return `${text}\n\u2014 ${name} ${encodeBase64(concatBytes(keyId, signature))}\n`;
}

/** Parts a note into text and signatures; nothing is verified. @throws `wire.malformed`, `wire.too_large`. */
export function decodeNote(input: string | Uint8Array): SignedNote {
  if (input.length > MAX_NOTE) throw new HoldfastError('wire.too_large', { field: 'note', limit: MAX_NOTE });
  const note = typeof input === 'string' ? input : decodeUtf8(input, 'note');
  checkText(note);
  // The text may hold empty lines: the last one ends it.
  const split = note.lastIndexOf('\n\n');
  if (split < 0) throw malformed('note');
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES)
    throw new HoldfastError('wire.too_large', { field: 'note signatures', limit: MAX_SIGNATURES });
  return { text: note.slice(0, split + 1), signatures: lines.map(decodeSignatureLine) };
}

export type NoteVerdict =
  | { readonly kind: 'verified'; readonly text: string; readonly signers: readonly string[] }
  | { readonly kind: 'bad-signature'; readonly name: string }
  | { readonly kind: 'no-known-signer' };

/**
 * Verifies a note: strangers' lines are passed over, a known key's line that fails condemns the note
 * (C2SP signed-note, "Verification").
 */
export function verifyNote({ text, signatures }: SignedNote, keys: readonly NoteKey[]): NoteVerdict {
  const message = encodeUtf8(text);
  const signers = new Set<string>();
  for (const { name, keyId, signature } of signatures) {
    const key = keys.find((known) => known.name === name && equalBytes(known.keyId, keyId));
    if (key === undefined) continue;
    if (!verifySignature('ed25519', key.publicKey, message, signature)) return { kind: 'bad-signature', name };
    signers.add(name);
  }
  return signers.size === 0 ? { kind: 'no-known-signer' } : { kind: 'verified', text, signers: [...signers] };
}

function decodeSignatureLine(line: string): NoteSignature {
  const [, name, encoded] = /^\u2014 ([^ ]+) ([^ ]+)$/.exec(line) ?? [];
  if (name === undefined || encoded === undefined) throw malformed('note signature');
  checkName(name);
  const bytes = decodeBase64(encoded, 'note signature');
  if (bytes.length < 5) throw malformed('note signature');
  return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

function noteKeyId(name: string, key: Uint8Array): Uint8Array {
  return sha256(concatBytes(encodeUtf8(`${name}\n`), Uint8Array.of(ED25519), key)).subarray(0, 4);
}

function checkName(name: string): void {
  if (name === '' || /[\p{White_Space}+]/u.test(name)) throw malformed('note key name');
}

function checkText(text: string): void {
  if (!text.endsWith('\n') || /(?!\n)[\p{Cc}]/u.test(text)) throw malformed('note');
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field });
}
