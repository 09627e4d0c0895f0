import { readFileSync } from 'node:fs';
import { encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cpioSum,
  decodeCpioHeader,
  decodeCpioName,
  decodeSwuDescription,
  encodeCpioEntry,
  parseLibconfig,
} from './index.ts';

const FOLDER = new URL('../../vectors/swupdate/', import.meta.url);
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const coded = (code: string) => expect.objectContaining({ code });
const total = (decode: () => unknown) => {
  try {
    decode();
  } catch (error) {
    expect(HoldfastError.is(error)).toBe(true);
  }
};

describe('a cpio header', () => {
  const theirs = vector('ec.swu');

  it('reads what GNU cpio writes', () => {
    expect(decodeCpioHeader(theirs, 0)).toEqual({
      kind: 'crc',
      size: 647,
      nameSize: 15,
      sum: cpioSum(vector('sw-description')),
    });
    expect(decodeCpioName(theirs.subarray(110, 125), 110)).toBe('sw-description');
  });

  it.each(['newc', 'crc'] as const)('reads back what it writes: %s', (kind) => {
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        const entry = encodeCpioEntry(kind, 'a.bin', data);
        const header = decodeCpioHeader(entry, 0);
        expect(header).toEqual({ kind, size: data.length, nameSize: 6, sum: kind === 'crc' ? cpioSum(data) : 0 });
        expect(entry.length % 4).toBe(0);
        expect(entry.subarray(116, 116 + data.length)).toEqual(data);
      }),
      { numRuns: 40 },
    );
  });

  const header = (change: (text: string) => string): Uint8Array =>
    encodeUtf8(change(new TextDecoder('latin1').decode(encodeCpioEntry('newc', 'a', Uint8Array.of(1))).slice(0, 110)));
  const field = (index: number, digits: string) =>
    header((text) => `${text.slice(0, 6 + index * 8)}${digits}${text.slice(14 + index * 8)}`);
  it.each<[string, Uint8Array, string]>([
    ['another format', header((text) => text.replace('070701', '070707')), 'boot.bad_magic'],
    ['a size that is no number', field(6, '0000000G'), 'wire.malformed'],
    ['a sign', field(6, '-0000001'), 'wire.malformed'],
    ['a link', field(1, '0000A1FF'), 'wire.unsupported'],
    ['a mode beyond its sixteen bits', field(1, '000181A4'), 'wire.unsupported'],
    ['a sum where there is none', field(12, '00000001'), 'wire.malformed'],
    ['no name', field(11, '00000000'), 'wire.malformed'],
    ['an endless name', field(11, '00000200'), 'wire.malformed'],
  ])('is refused with %s', (_name, bytes, code) => {
    expect(() => decodeCpioHeader(bytes, 0)).toThrowError(coded(code));
  });

  it.each(['/etc/passwd\0', '../a\0', 'a/b\0', '.hidden\0', '\0', 'a'])(
    'refuses a name that leads elsewhere: %j',
    (name) => {
      expect(() => decodeCpioName(encodeUtf8(name), 0)).toThrowError(coded('wire.malformed'));
    },
  );

  it('is refused at every length that is cut, whatever the bytes', () => {
    for (let length = 0; length < 110; length++)
      expect(() => decodeCpioHeader(theirs.subarray(0, length), 0)).toThrowError(coded('wire.truncated'));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 110, maxLength: 120 }), (bytes) =>
        total(() => decodeCpioHeader(bytes, 0)),
      ),
    );
  });
});

describe('libconfig text', () => {
  it('is read as its manual says', () => {
    const text = `# a comment
      whole = 0x10; neg: -5L, float = 1.5e1; yes = TRUE /* on */;
      text = "one\\n" "t\\x77o \\"q\\"" // two parts
      array = [ 1, 2 ]; list = ( "a", { b = (); }, [ ], ); group : { inner = false }`;
    expect(parseLibconfig(text)).toEqual({
      whole: 16,
      neg: -5,
      float: 15,
      yes: true,
      text: 'one\ntwo "q"',
      array: [1, 2],
      list: ['a', { b: [] }, []],
      group: { inner: false },
    });
  });

  it.each<[string, string, string]>([
    ['a name twice', 'a = 1; a = 2;', 'wire.duplicate'],
    ['no value', 'a = ;', 'wire.malformed'],
    ['no equals sign', 'a 1', 'wire.malformed'],
    ['an open group', 'a = { b = 1;', 'wire.malformed'],
    ['an open list', 'a = ( 1,', 'wire.malformed'],
    ['an open string', 'a = "b', 'wire.malformed'],
    ['an unknown escape', 'a = "\\q"', 'wire.malformed'],
    ['values side by side', 'a = ( 1 2 );', 'wire.malformed'],
    ['depth without end', `a = ${'('.repeat(20)}`, 'wire.too_large'],
    ['text behind its end', 'a = 1; }', 'wire.malformed'],
  ])('is refused with %s', (_name, text, code) => {
    expect(() => parseLibconfig(text)).toThrowError(coded(code));
  });

  it('keeps a name that JavaScript knows as a name', () => {
    expect(parseLibconfig('constructor = 1; toString = 2;')).toEqual({ constructor: 1, toString: 2 });
  });

  it('is values or a coded error, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => total(() => parseLibconfig(text))));
    const piece = fc.constantFrom(
      'a',
      '=',
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      ';',
      ',',
      '"',
      '1',
      '\\',
      '#',
      '/*',
      '*/',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => total(() => parseLibconfig(pieces.join('')))),
    );
  });
});

describe('a description', () => {
  const text = new TextDecoder().decode(vector('sw-description'));

  it('reads version, hardware and files', () => {
    const { version, hardware, files } = decodeSwuDescription(vector('sw-description'));
    expect({ version, hardware }).toEqual({ version: '2024.1.0', hardware: ['1.0', '1.2'] });
    expect(files.map(({ filename, sha256 }) => [filename, sha256.length])).toEqual([
      ['rootfs.img', 32],
      ['kernel.img', 32],
    ]);
  });

  it('reads every section of a JSON one, and a file named twice once', () => {
    const image = { filename: 'a', sha256: '0'.repeat(64) };
    const board = {
      'hardware-compatibility': ['7'],
      stable: { copy1: { images: [image] }, copy2: { images: [image], scripts: [{ ...image, filename: 'b' }] } },
    };
    const read = decodeSwuDescription(encodeUtf8(JSON.stringify({ software: { version: '1', board } })));
    expect(read.hardware).toEqual(['7']);
    expect(read.files.map(({ filename }) => filename)).toEqual(['a', 'b']);
  });

  it.each<[string, string, string]>([
    ['a file without a hash', text.replace(/sha256 = .*/, ''), 'boot.hash_missing'],
    ['a hash that is none', text.replace(/sha256 = "../, 'sha256 = "'), 'wire.malformed'],
    ['one file under two hashes', text.replace('kernel.img', 'rootfs.img'), 'wire.duplicate'],
    ['no version', text.replace('version', 'edition'), 'wire.malformed'],
    ['no software', text.replace('software', 'hardware'), 'wire.malformed'],
    ['a file without a name', text.replace('filename', 'name'), 'wire.malformed'],
    ['an include', `@include "other"\n${text}`, 'wire.unsupported'],
    ['no end', ' '.repeat(262_145), 'wire.too_large'],
  ])('is refused with %s', (_name, changed, code) => {
    expect(() => decodeSwuDescription(encodeUtf8(changed))).toThrowError(coded(code));
  });

  it('is a description or a coded error, cut anywhere', () => {
    for (let length = 0; length < text.length; length++)
      total(() => decodeSwuDescription(encodeUtf8(text.slice(0, length))));
  });
});
