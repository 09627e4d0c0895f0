import { HoldfastError } from '@holdfast/kernel';

/** What a key said when it was destroyed. */
export interface KeyDestroyed {
  /** Lower-case hex SHA-256 of its SubjectPublicKeyInfo. */
  readonly spkiSha256: string;
  /** Where it lived: copies of a `software` key may exist. */
  readonly store: 'software' | 'tpm' | 'pkcs11';
  /** Lower-case hex of what the asker gave it to sign. */
  readonly challenge: string;
}

const FORM = /^holdfast\/key-destroyed\/v1\n([0-9a-f]{64})\n(software|tpm|pkcs11)\n((?:[0-9a-f]{2}){8,64})\n$/;

/** @throws `wire.malformed` for any other text */
export function parseDestruction(text: string): KeyDestroyed {
  const [, spkiSha256, store, challenge] = FORM.exec(text) ?? [];
  if (spkiSha256 === undefined || store === undefined || challenge === undefined) {
    throw new HoldfastError('wire.malformed', { field: 'key destruction' });
  }
  return { spkiSha256, store: store as KeyDestroyed['store'], challenge };
}
