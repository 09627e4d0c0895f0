import { loadPkcs11Module, type Pkcs11Module } from '@holdfast/crypto/pkcs11';
import { HoldfastError } from '@holdfast/kernel';

/**
 * Loads the optional native addon.
 *
 * @throws `device.pkcs11_missing` when it is not installed
 */
export async function loadPkcs11(): Promise<Pkcs11Module> {
  const module = loadPkcs11Module();
  if (module === undefined) throw new HoldfastError('device.pkcs11_missing');
  return module;
}
