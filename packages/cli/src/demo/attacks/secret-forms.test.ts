import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formsOf } from './secret-forms.ts';

const Secret = fc.uint8Array({ minLength: 16, maxLength: 48 });
const Around = fc.uint8Array({ maxLength: 16 });

function isFound(content: Buffer, secret: Uint8Array): boolean {
  return formsOf(secret).some((form) => content.includes(form));
}

const WRITTEN = {
  'as it is': (bytes: Buffer) => bytes,
  'in hex': (bytes: Buffer) => Buffer.from(bytes.toString('hex')),
  'in upper-case hex': (bytes: Buffer) => Buffer.from(bytes.toString('hex').toUpperCase()),
  'in base64': (bytes: Buffer) => Buffer.from(bytes.toString('base64')),
  'in base64url': (bytes: Buffer) => Buffer.from(bytes.toString('base64url')),
} as const;

describe('the forms of a secret', () => {
  it.each(Object.entries(WRITTEN))('find it %s, wherever it begins in what is written', (_, write) => {
    fc.assert(
      fc.property(Secret, Around, Around, (secret, before, after) => {
        expect(isFound(write(Buffer.concat([before, secret, after])), secret)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('do not find what is not there', () => {
    const other = Buffer.alloc(4096, 'no secret at all ');
    fc.assert(
      fc.property(Secret, (secret) => {
        expect(isFound(other, secret)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });
});
