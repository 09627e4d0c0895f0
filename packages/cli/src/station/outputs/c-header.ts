import { encodeUtf8 } from '@holdfast/kernel';
import type { OutputFile, StationDevice } from './output.ts';

const PER_LINE = 12;

/** A C header with the identity as arrays: texts end with a NUL, as Mbed TLS and wolfSSL want PEM. */
export function cHeaderFiles({ serial, certificate, key, anchorsPem }: StationDevice): readonly OutputFile[] {
  if (certificate === undefined) return [];
  const sec1 = key?.keyObject.export({ type: 'sec1', format: 'der' });
  const content = [
    '#ifndef HOLDFAST_IDENTITY_H',
    '#define HOLDFAST_IDENTITY_H',
    '',
    `static const char holdfast_serial[] = "${serial}";`,
    '',
    ...array('holdfast_chain_pem', encodeUtf8(`${certificate.chainPem}\0`)),
    ...array('holdfast_roots_pem', encodeUtf8(`${anchorsPem}\0`)),
    ...(sec1 === undefined ? [] : array('holdfast_private_key_der', sec1)),
    '#endif',
    '',
  ].join('\n');
  return [{ name: 'holdfast_identity.h', content, secret: key !== undefined }];
}

function array(name: string, bytes: Uint8Array): readonly string[] {
  const values = Array.from(bytes, (byte) => `0x${byte.toString(16).padStart(2, '0')}`);
  const lines = Array.from(
    { length: Math.ceil(values.length / PER_LINE) },
    (_, at) => `  ${values.slice(at * PER_LINE, (at + 1) * PER_LINE).join(', ')},`,
  );
  return [`static const unsigned char ${name}[${bytes.length}] = {`, ...lines, '};', ''];
}
