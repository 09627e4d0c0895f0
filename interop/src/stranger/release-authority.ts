import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from './command.ts';

const EXTENSIONS = `[req]
distinguished_name=dn
[dn]
[ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid:always
[email]
basicConstraints=critical,CA:FALSE
extendedKeyUsage=emailProtection
authorityKeyIdentifier=keyid
[code]
basicConstraints=critical,CA:FALSE
extendedKeyUsage=codeSigning
authorityKeyIdentifier=keyid
`;

const NEW_KEY = { ec: ['ecparam', '-name', 'prime256v1', '-genkey', '-noout'], rsa: ['genrsa', '2048'] } as const;

/**
 * Makes with OpenSSL, in a folder: `ca.pem`, and NAME.key and NAME.pem for signers by P-256 and RSA that are good for mail,
 * and one that is good for code alone.
 */
export function makeReleaseAuthority(folder: string): void {
  const openssl = (...args: readonly string[]): void => {
    const { ok, output } = runCommand('openssl', args, folder);
    if (!ok) throw new Error(`openssl ${args[0]}: ${output}`);
  };
  writeFileSync(path.join(folder, 'ext.cnf'), EXTENSIONS);
  const config = ['-config', 'ext.cnf'];
  openssl(...NEW_KEY.ec, '-out', 'ca.key');
  openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    'ca.key',
    '-subj',
    '/CN=release root',
    '-days',
    '30',
    ...config,
    '-extensions',
    'ca',
    '-out',
    'ca.pem',
  );
  for (const [name, kind, section] of [
    ['ec', 'ec', 'email'],
    ['rsa', 'rsa', 'email'],
    ['code', 'ec', 'code'],
  ] as const) {
    const [command, ...rest] = NEW_KEY[kind];
    // genrsa takes the size last.
    openssl(command, ...(kind === 'rsa' ? ['-out', `${name}.key`, ...rest] : [...rest, '-out', `${name}.key`]));
    openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, ...config, '-out', `${name}.csr`);
    const issuer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30', '-sha256'];
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...issuer,
      '-extfile',
      'ext.cnf',
      '-extensions',
      section,
      '-out',
      `${name}.pem`,
    );
  }
}
