import { concatBytes } from '../../../../packages/kernel/src/index.ts';

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const TRIES = 64;

/**
 * One signature in every encoding that a lenient decoder takes for it, and in some that none should.
 *
 * @param make - gives a fresh DER signature each time
 */
export function ecdsaForms(make: () => Uint8Array): readonly Uint8Array[] {
  return samples(make).flatMap((der) => {
    const { r, s } = split(der);
    const both = (first: Uint8Array, second: Uint8Array): Uint8Array =>
      sequence(concatBytes(integer(first), integer(second)));
    const zero = Uint8Array.of(0);
    return [
      der,
      both(concatBytes(zero, r), s),
      both(r, concatBytes(zero, s)),
      both(bare(r), s),
      both(r, bare(s)),
      both(zero, s),
      both(r, zero),
      both(new Uint8Array(0), s),
      both(r, new Uint8Array(0)),
      both(Uint8Array.of(0, 0), s),
      both(Uint8Array.of(0x80), s),
      both(Uint8Array.of(0, 0x80), s),
      both(Uint8Array.of(0, 0x7f), s),
      both(Uint8Array.of(1), s),
      concatBytes(Uint8Array.of(SEQUENCE, 0x81, der.length - 2), der.subarray(2)),
      concatBytes(Uint8Array.of(0x31), der.subarray(1)),
      concatBytes(der.subarray(0, 2), Uint8Array.of(3), der.subarray(3)),
      ...[-2, -1, 1, 2].map((more) => changed(der, 1, (der[1] ?? 0) + more)),
      ...[0, 0x7e, 0x7f, 0x80, 0x81, 0xff].map((length) => changed(der, 1, length)),
      ...[-1, 1].map((more) => changed(der, 3, (der[3] ?? 0) + more)),
      sequence(concatBytes(integer(r), integer(s), integer(zero))),
      sequence(integer(r)),
      sequence(concatBytes(integer(r), integer(s), new Uint8Array(1))),
      ...[70, 71, 72, 73, 74, 103, 104].map((length) => padded(der, length, 0)),
      ...[72, 103].map((length) => padded(der, length, 1)),
      der.subarray(0, -1),
      der.subarray(0, 2),
      der.subarray(0, 1),
      new Uint8Array(0),
    ];
  });
}

/** Signatures whose numbers begin with a zero that has to be there, and with none. */
function samples(make: () => Uint8Array): readonly Uint8Array[] {
  const found = new Map<string, Uint8Array>();
  for (let i = 0; i < TRIES && found.size < 4; i++) {
    const der = make();
    const { r, s } = split(der);
    found.set(`${r[0] === 0} ${s[0] === 0}`, der);
  }
  return [...found.values()];
}

function split(der: Uint8Array): { readonly r: Uint8Array; readonly s: Uint8Array } {
  const first = 4 + (der[3] ?? 0);
  return { r: der.subarray(4, first), s: der.subarray(first + 2) };
}

function integer(value: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(INTEGER, value.length), value);
}

function sequence(content: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(SEQUENCE, content.length), content);
}

/** Without the zero that says that the number is positive; else without its first byte. */
function bare(value: Uint8Array): Uint8Array {
  return value.subarray(1);
}

function padded(der: Uint8Array, length: number, filling: number): Uint8Array {
  if (length <= der.length) return der;
  const all = new Uint8Array(length);
  all.set(der);
  all[length - 1] = filling;
  return all;
}

function changed(der: Uint8Array, at: number, value: number): Uint8Array {
  const copy = der.slice();
  copy[at] = value;
  return copy;
}
