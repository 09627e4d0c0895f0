import { exportPkcs12 } from '@holdfast/crypto';
import { encodeBase64Url } from '@holdfast/kernel';
import type { OutputFile, StationDevice } from './output.ts';

const PASSWORD_BYTES = 16;
/** Enough for a password of 128 random bits, which nobody guesses; more would only slow the line down. */
const ITERATIONS = 2048;

/** A PKCS #12 file and, beside it, the password that was made for it alone. */
export async function pkcs12Files(device: StationDevice): Promise<readonly OutputFile[]> {
  const { key, certificate, serial, random } = device;
  if (key === undefined || certificate === undefined) return [];
  const password = encodeBase64Url(random.bytes(PASSWORD_BYTES));
  const content = await exportPkcs12({
    key,
    chain: certificate.chain,
    friendlyName: serial,
    password,
    iterations: ITERATIONS,
    random,
  });
  return [
    { name: 'identity.p12', content, secret: true },
    { name: 'identity.p12.password', content: password, secret: true },
  ];
}
