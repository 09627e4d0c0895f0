import fc from 'fast-check';
import { HoldfastError } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { givenOverNetwork, parseKeyReference } from './key-reference.ts';

const ARN = 'arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const KMS = { kind: 'kms', region: undefined, endpoint: undefined };

describe('a reference to a key', () => {
  it.each([
    ['pkcs11:token=hf;object=issuing', { kind: 'pkcs11', token: 'hf', object: 'issuing' }],
    ['pkcs11:object=a%20key;token=My%20token;type=private', { kind: 'pkcs11', token: 'My token', object: 'a key' }],
    ['pkcs11:serial=0a1b;id=%01%FF', { kind: 'pkcs11', serial: '0a1b', id: Uint8Array.of(1, 255) }],
    ['pkcs11:token=%c3%a9;object=x', { kind: 'pkcs11', token: 'é', object: 'x' }],
    [`kms:${ARN}`, { ...KMS, keyId: ARN, region: 'eu-central-1' }],
    ['kms:alias/holdfast', { ...KMS, keyId: 'alias/holdfast' }],
    ['kms:1234abcd-12ab-34cd-56ef-1234567890ab?region=us-east-1', expect.objectContaining({ region: 'us-east-1' })],
    [
      'kms:alias/a?region=eu-west-1&endpoint=http://127.0.0.1:5000',
      { kind: 'kms', keyId: 'alias/a', region: 'eu-west-1', endpoint: 'http://127.0.0.1:5000/' },
    ],
  ])('%s is read', (text, reference) => {
    expect(parseKeyReference(text)).toEqual(reference);
  });

  it.each([
    ['scheme', 'sealed:x'],
    ['scheme', ''],
    ['query', 'pkcs11:token=a;object=b?pin-value=1234'],
    ['query', 'pkcs11:token=a;object=b?module-path=/tmp/evil.so'],
    ['repeated', 'pkcs11:token=a;token=b;object=c'],
    ['attribute', 'pkcs11:token=a;object=b;slot-id=1'],
    ['type', 'pkcs11:token=a;object=b;type=public'],
    ['token', 'pkcs11:object=b'],
    ['object', 'pkcs11:token=a'],
    ['value', 'pkcs11:token=a;object='],
    ['value', 'pkcs11:token=a;object=b%2'],
    ['value', 'pkcs11:token=a;object=b/c'],
    ['value', 'pkcs11:token=%ff;object=b'],
    ['value', 'pkcs11:'],
    ['key', 'kms:'],
    ['key', 'kms:alias/'],
    ['key', 'kms:arn:aws:s3:::bucket'],
    ['option', 'kms:alias/a?profile=b'],
    ['option', 'kms:alias/a?region=b&region=c'],
    ['option', 'kms:alias/a?region=b?region=c'],
    ['region', 'kms:alias/a?region=EU central'],
    ['region', `kms:${ARN}?region=us-east-1`],
    ['endpoint', 'kms:alias/a?endpoint=http://kms.example'],
    ['endpoint', 'kms:alias/a?endpoint=https://key:secret@kms.example'],
    ['endpoint', 'kms:alias/a?endpoint=file:///etc/passwd'],
    ['length', `kms:alias/${'a'.repeat(2000)}`],
  ])('is refused for its %s: %s', (part, text) => {
    expect(() => parseKeyReference(text)).toThrowError(
      expect.objectContaining({ code: 'storage.bad_key_reference', details: { part } }),
    );
  });

  it('names no endpoint when it comes over the API', () => {
    expect(givenOverNetwork('kms:alias/a?region=eu-west-1')).toBe('kms:alias/a?region=eu-west-1');
    expect(() => givenOverNetwork('kms:alias/a?endpoint=https://127.0.0.1')).toThrowError(
      expect.objectContaining({ code: 'storage.bad_key_reference', details: { part: 'endpoint' } }),
    );
  });

  it('gives a value or one coded error for any text', () => {
    const text = fc.tuple(fc.constantFrom('pkcs11:', 'kms:', 'pkcs11:token=', 'kms:alias/', ''), fc.string());
    fc.assert(
      fc.property(text, ([start, rest]) => {
        try {
          expect(['pkcs11', 'kms']).toContain(parseKeyReference(start + rest).kind);
        } catch (error) {
          expect(HoldfastError.is(error, 'storage.bad_key_reference')).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
