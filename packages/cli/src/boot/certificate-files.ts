import { HoldfastError } from '@holdfast/kernel';
import { decodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { readBytes } from './files.ts';
import { readKeyFile, spkiOf } from './key-files.ts';

/** A certificate as DER, from PEM or DER. @throws `cli.file_unusable`, `boot.bad_key_file` */
export function readCertificateFile(file: string): Uint8Array {
  const der = certificateIn(file);
  if (der === undefined) throw new HoldfastError('boot.bad_key_file', { path: file });
  return der;
}

/** The SubjectPublicKeyInfo of a certificate or a key. @throws as {@link readKeyFile} */
export function readCertificateOrKeyFile(file: string): Uint8Array {
  const der = certificateIn(file);
  return der === undefined ? spkiOf(readKeyFile(file)) : decodeCertificate(der).spki.raw;
}

/** The certificate that a file holds, or undefined when it holds something else. @throws `cli.file_unusable` */
export function certificateIn(file: string): Uint8Array | undefined {
  const bytes = readBytes(file);
  try {
    const der = bytes[0] === 0x30 ? bytes : decodePem(bytes, 'CERTIFICATE');
    return decodeCertificate(der).raw;
  } catch (error) {
    if (HoldfastError.is(error)) return undefined;
    throw error;
  }
}
