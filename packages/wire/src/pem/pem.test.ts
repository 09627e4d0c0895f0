import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/kernel';
import { decodePem, decodePemBlocks, encodePem } from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });

describe('PEM', () => {
  it('has lines of 64 and comes back for any bytes', () => {
    expect(encodePem('CERTIFICATE', new Uint8Array(49))).toBe(
      `-----BEGIN CERTIFICATE-----\n${'A'.repeat(64)}\nAA==\n-----END CERTIFICATE-----\n`,
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodePem(encodePem('PRIVATE KEY', bytes), 'PRIVATE KEY')).toEqual(bytes);
      }),
    );
  });

  it('reads several blocks, CRLF, and skips text between them', () => {
    const text = `subject=x\r\n${encodePem('A B', Uint8Array.of(1)).replaceAll('\n', '\r\n')}\n# note\n${encodePem('X', Uint8Array.of(2))}`;
    expect(decodePemBlocks(text)).toEqual([
      { label: 'A B', bytes: Uint8Array.of(1) },
      { label: 'X', bytes: Uint8Array.of(2) },
    ]);
    expect(() => decodePem(text, 'A B')).toThrowError(coded('wire.duplicate'));
  });

  it.each([
    ['labels that differ', '-----BEGIN A-----\nAA==\n-----END B-----\n', 'wire.malformed'],
    ['a block inside a block', '-----BEGIN A-----\n-----BEGIN A-----\n', 'wire.malformed'],
    ['an end alone', '-----END A-----\n', 'wire.malformed'],
    ['no end', '-----BEGIN A-----\nAA==\n', 'wire.truncated'],
    [
      'an encrypted legacy key',
      '-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n-----END A-----\n',
      'wire.malformed',
    ],
    ['bad base64', '-----BEGIN A-----\nA*==\n-----END A-----\n', 'wire.malformed'],
    ['spare bits', '-----BEGIN A-----\nAB==\n-----END A-----\n', 'wire.malformed'],
    ['a broken boundary', '-----BEGIN A----\nAA==\n-----END A-----\n', 'wire.malformed'],
    ['an empty label', '-----BEGIN -----\nAA==\n-----END -----\n', 'wire.malformed'],
  ])('refuses %s', (_name, text, code) => {
    expect(() => decodePemBlocks(text)).toThrowError(coded(code));
  });

  it('refuses another label than the one asked for, and no block at all', () => {
    expect(() => decodePem(encodePem('X', Uint8Array.of(1)), 'CERTIFICATE')).toThrowError(coded('wire.malformed'));
    expect(() => decodePem('', 'CERTIFICATE')).toThrowError(coded('wire.malformed'));
  });

  it('gives a coded error for every prefix that cuts the block', () => {
    const text = encodePem('CERTIFICATE', new Uint8Array(60));
    for (let length = 27; length < text.length - 1; length++) {
      expect(() => decodePem(text.slice(0, length), 'CERTIFICATE')).toThrowError(HoldfastError);
    }
  });
});
