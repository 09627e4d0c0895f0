import { existsSync } from 'node:fs';
import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { Signer } from '@holdfast/crypto';
import { HoldfastError, systemClock } from '@holdfast/kernel';
import { createEngineSigner } from '@holdfast/trust/storage';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import type { GivenOptions } from './verb.ts';

/** Beside the certificate, where the encrypted key is otherwise. */
export const REFERENCE_FILE = 'root.reference';

export function addTokenOptions(command: Command): Command {
  return command
    .option('--pkcs11-module <path>', "the token maker's module; HOLDFAST_PKCS11_MODULE otherwise")
    .option('--pkcs11-pin <reference>', 'file:PATH or env:NAME of the PIN; HOLDFAST_PKCS11_PIN otherwise');
}

export function keepsReference(folder: string): boolean {
  return existsSync(path.join(folder, REFERENCE_FILE));
}

/**
 * Works with a root key that is in a token or a key service.
 *
 * @throws as `KeyEngine`; `identity.weak_key` for anything but P-256, as small devices verify nothing else
 */
export async function withRootKey<Result>(
  reference: string,
  { options, io }: { readonly options: GivenOptions; readonly io: CommandIo },
  work: (signer: Signer) => Promise<Result>,
): Promise<Result> {
  const { openKeyEngines } = await import('@holdfast/server/keys');
  const { environment } = io;
  const given = (name: string, variable: string) =>
    typeof options[name] === 'string' ? options[name] : environment[variable];
  const engines = openKeyEngines({
    clock: systemClock,
    pkcs11Module: given('pkcs11Module', 'HOLDFAST_PKCS11_MODULE'),
    pkcs11Pin: given('pkcs11Pin', 'HOLDFAST_PKCS11_PIN'),
    environment,
  });
  // Timers of the clock keep no process up, and between two attempts nothing else does.
  const awake = new MessageChannel();
  awake.port1.on('message', () => undefined);
  try {
    const publicKeySpki = await engines.describe(reference);
    const signer = createEngineSigner(engines, { reference, publicKeySpki });
    if (signer.algorithm !== 'ecdsa-p256-sha256') throw new HoldfastError('identity.weak_key');
    return await work(signer);
  } finally {
    awake.port1.close();
    engines.close();
  }
}
