import { type SoftwareTpm, tpmSpki } from '@holdfast/crypto';
import { TPM_HANDLE, tpmCalls } from '@holdfast/wire/tpm2';
import { Tpm } from './tpm.ts';
import { ENDORSEMENT_KEYS } from './tpm-templates.ts';

const P256_CERTIFICATE = 0x01c0000a;

/** A TPM that lives in this process, for virtual gateways. */
export function virtualTpm(software: SoftwareTpm): Tpm {
  return new Tpm({ send: (command) => software.execute(command), close: () => Promise.resolve() });
}

/**
 * The maker's step: its authority certifies the endorsement key, and the certificate goes into the chip.
 *
 * @param certify - DER SubjectPublicKeyInfo in, DER certificate out
 */
export async function endorseTpm(
  software: SoftwareTpm,
  certify: (spki: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const tpm = virtualTpm(software);
  const template = ENDORSEMENT_KEYS['P-256'];
  const { handle, area } = await tpm.run(tpmCalls.createPrimary(TPM_HANDLE.endorsement, template));
  await tpm.run(tpmCalls.flushContext(handle));
  const certificate = await certify(tpmSpki(area));
  software.writeNv(P256_CERTIFICATE, certificate);
  return certificate;
}
