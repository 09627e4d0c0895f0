import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type ApiClient, ApiProblem } from '@holdfast/api';
import {
  createCsr,
  createSigner,
  fingerprint,
  generatePrivateKey,
  importPrivateKeyPem,
  type PrivateKey,
} from '@holdfast/crypto';
import { encodeBase64, equalBytes, HoldfastError } from '@holdfast/kernel';
import { decodePem, decodePemBlocks, encodePem } from '@holdfast/wire/pem';
import { decodeCertificate, decodeCertificationRequest } from '@holdfast/wire/x509';
import type { DeviceFolder } from './device-folder.ts';
import type { StationCertificate } from './outputs/index.ts';

export const KEY_FILE = 'key.pem';
const PEM_START = '-----BEGIN';

/** What says that an earlier try may have got the certificate already. */
const PERHAPS_DONE = new Set(['identity.key_reuse', 'identity.device_has_certificate', 'identity.serial_used']);

/** A request for a certificate and where its key is. */
export interface StationRequest {
  readonly csrDer: Uint8Array;
  readonly spki: Uint8Array;
  readonly key: PrivateKey | undefined;
}

/** The key a former try has left in the folder, or a new one that is on the disk before anything is asked with it. */
export async function stationRequest(folder: DeviceFolder, serial: string): Promise<StationRequest> {
  const begun = folder.readBegun(KEY_FILE);
  const key = begun === undefined ? await generatePrivateKey('P-256') : importPrivateKeyPem(begun);
  if (begun === undefined) folder.begin({ name: KEY_FILE, content: key.exportPem(), secret: true });
  const csrDer = await createCsr({ subject: [{ type: 'commonName', value: serial.slice(0, 64) }] }, createSigner(key));
  return { csrDer, spki: key.publicKey.spki, key };
}

/** Reads `SERIAL.csr`, PEM or DER, that a device made. @throws `cli.file_unusable`, `wire.*` */
export function deviceRequest(folder: string, serial: string): StationRequest {
  const file = path.join(folder, `${serial}.csr`);
  const csrDer = derOf(readRequest(file));
  return { csrDer, spki: decodeCertificationRequest(csrDer).spki.raw, key: undefined };
}

/**
 * Asks for the certificate of a device; what an earlier try got without hearing of it is taken from the registry.
 *
 * @throws the server's refusal
 */
export async function enrollDevice(
  client: ApiClient,
  { serial, claim, request }: { readonly serial: string; readonly claim: string; readonly request: StationRequest },
): Promise<StationCertificate> {
  const keyOrigin = request.key === undefined ? 'device' : 'station';
  try {
    const { chainPem } = await client.call('devices.enroll', {
      device: serial,
      body: { claim, csr: encodeBase64(request.csrDer), keyOrigin },
    });
    return certificateOf(chainPem);
  } catch (error) {
    if (!(error instanceof ApiProblem) || !PERHAPS_DONE.has(error.problem.code)) throw error;
    const { chainPem } = await client.call('devices.show', { device: serial });
    const present = chainPem === undefined ? undefined : certificateOf(chainPem);
    const own = present?.chain[0];
    if (present === undefined || own === undefined || !equalBytes(decodeCertificate(own).spki.raw, request.spki)) {
      throw error;
    }
    return present;
  }
}

function certificateOf(chainPem: string): StationCertificate {
  const all = decodePemBlocks(chainPem).map(({ bytes }) => bytes);
  const chain = all.filter((der) => {
    const { subject, issuer } = decodeCertificate(der);
    return !equalBytes(subject.raw, issuer.raw);
  });
  return {
    chain,
    chainPem: chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
    fingerprint: fingerprint(chain[0] ?? new Uint8Array()),
  };
}

function readRequest(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}

function derOf(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  if (!text.startsWith(PEM_START)) return bytes;
  const label = text.includes('NEW CERTIFICATE REQUEST') ? 'NEW CERTIFICATE REQUEST' : 'CERTIFICATE REQUEST';
  return decodePem(text, label);
}
