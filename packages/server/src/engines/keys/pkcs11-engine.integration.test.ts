import { systemClock } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { openKeyEngines } from './open-key-engines.ts';

describe('the process that a PKCS #11 module is loaded into', () => {
  it('says that the module or the addon is missing, and nothing of the PIN', async () => {
    const engines = openKeyEngines({
      clock: systemClock,
      pkcs11Module: '/nowhere/module.so',
      pkcs11Pin: 'env:PIN',
      environment: { PIN: '4321-8765' },
      limits: { timeoutMs: 60_000 },
    });
    const error: unknown = await engines.describe('pkcs11:token=hf;object=issuing').catch((thrown: unknown) => thrown);
    engines.close();
    expect(error).toEqual(expect.objectContaining({ code: 'storage.key_engine_missing' }));
    expect(JSON.stringify(error)).not.toContain('4321-8765');
  });
});
