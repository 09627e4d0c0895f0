import type { KeyObject } from 'node:crypto';
import { mcubootPublicKey } from '@holdfast/crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import { formatKeyAsC, formatKeyAsRust, isNameSuffix, type KeyArray } from '@holdfast/wire/mcuboot';
import { createHash } from 'node:crypto';

interface ExportableKey {
  readonly key: KeyObject;
  readonly bytes: Uint8Array;
  readonly name: string;
}

const FORMS: Readonly<Record<string, (key: ExportableKey, suffix: string) => string | Uint8Array>> = {
  c: (key, suffix) => formatKeyAsC(arrayOf(key, suffix)),
  rust: (key, suffix) => formatKeyAsRust(arrayOf(key, suffix)),
  pem: ({ key }) => key.export({ type: 'spki', format: 'pem' }).toString(),
  raw: ({ bytes }) => bytes,
  hash: (key) => `${encodeHex(hashOf(key))}\n`,
  'hash-c': (key, suffix) => formatKeyAsC({ name: `${key.name}_pub_key_hash${suffix}`, bytes: hashOf(key) }),
  'hash-raw': hashOf,
};

export const EXPORT_FORMS = Object.keys(FORMS);

/**
 * A public key as a build of MCUboot takes it in: names and bytes as imgtool getpub and getpubhash write them.
 *
 * @throws `boot.bad_option`, `boot.unsupported_key`
 */
export function exportPublicKey(publicKey: KeyObject, form: string, suffix = ''): string | Uint8Array {
  const write = Object.hasOwn(FORMS, form) ? FORMS[form] : undefined;
  if (write === undefined)
    throw new HoldfastError('boot.bad_option', { option: 'form', allowed: EXPORT_FORMS.join(' ') });
  if (!isNameSuffix(suffix)) throw new HoldfastError('boot.bad_option', { option: 'name-suffix' });
  return write(exportable(publicKey), suffix);
}

function exportable(key: KeyObject): ExportableKey {
  if (key.asymmetricKeyType === 'x25519') {
    return { key, name: 'x25519', bytes: Uint8Array.from(key.export({ type: 'spki', format: 'der' })) };
  }
  const { rule, bytes } = mcubootPublicKey(key);
  return { key, name: rule.exportName, bytes };
}

function arrayOf({ name, bytes }: ExportableKey, suffix: string): KeyArray {
  return { name: `${name}_pub_key${suffix}`, bytes };
}

function hashOf({ bytes }: ExportableKey): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}
