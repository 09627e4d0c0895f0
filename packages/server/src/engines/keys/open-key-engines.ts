import { readFileSync } from 'node:fs';
import { type Clock, HoldfastError } from '@holdfast/kernel';
import { KeyEngines, type KeyEngineLimits, type ResettableEngine } from './key-engines.ts';
import type { KeyReference } from './key-reference.ts';
import { KmsEngine } from './kms-engine.ts';
import type { Pkcs11Opening } from './pkcs11-messages.ts';
import { Pkcs11Engine } from './pkcs11-engine.ts';

export interface KeyEngineSettings {
  /** Path of the maker's PKCS #11 module. */
  readonly pkcs11Module: string | undefined;
  /** `file:PATH` or `env:NAME` of the user PIN. */
  readonly pkcs11Pin: string | undefined;
  readonly environment: Record<string, string | undefined>;
}

/** What tests have in the place of tokens and services. */
export interface ReplacedEngines {
  readonly engines: Readonly<Record<KeyReference['kind'], ResettableEngine>>;
  readonly limits?: Partial<KeyEngineLimits>;
}

export interface KeyEnginesRequest extends KeyEngineSettings {
  readonly clock: Clock;
  readonly instead?: ReplacedEngines['engines'] | undefined;
  readonly limits?: Partial<KeyEngineLimits> | undefined;
}

/** Everything that keys may lie in; nothing is loaded before a key is asked. */
export function openKeyEngines({ clock, instead, limits, ...settings }: KeyEnginesRequest): KeyEngines {
  const engines = instead ?? { pkcs11: new Pkcs11Engine(() => openingOf(settings)), kms: new KmsEngine() };
  return new KeyEngines({ clock, engines, ...(limits === undefined ? {} : { limits }) });
}

function openingOf({ pkcs11Module, pkcs11Pin, environment }: KeyEngineSettings): Pkcs11Opening {
  if (pkcs11Module === undefined || pkcs11Pin === undefined) {
    throw new HoldfastError('storage.key_engine_missing', { field: pkcs11Module === undefined ? 'module' : 'pin' });
  }
  return { modulePath: pkcs11Module, pin: pinOf(pkcs11Pin, environment) };
}

function pinOf(reference: string, environment: Record<string, string | undefined>): string {
  const [, scheme, name = ''] = /^(file|env):(.+)$/s.exec(reference) ?? [];
  const found = scheme === 'env' ? environment[name] : scheme === 'file' ? readText(name) : undefined;
  const pin = found?.replace(/\r?\n$/, '');
  if (pin === undefined || pin === '') throw new HoldfastError('storage.key_engine_missing', { field: 'pin' });
  return pin;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
