import { concatBytes, equalBytes } from '../../../../packages/kernel/src/index.ts';
import { Dice } from '../soak.ts';
import type { NumberField, Part, Specimen } from './specimen.ts';

/** An image with one thing changed. */
export interface ImageMutant {
  readonly change: string;
  readonly bytes: Uint8Array;
}

type Draw = (specimen: Specimen, dice: Dice) => ImageMutant | undefined;

/** Ways to change one thing; those of the structure come oftener than those of a single byte. */
const WAYS: readonly Draw[] = [
  flipBit,
  flipBitOfStructure,
  setByte,
  setNumber,
  setNumber,
  dropPart,
  doublePart,
  swapParts,
  swapParts,
  movePart,
  overwritePart,
  growPart,
  shrinkPart,
  cut,
  append,
  slide,
];

/** Draws mutants, none of them as the original; the same seed draws the same ones. */
export function* mutantsOf(specimen: Specimen, count: number, seed: number): Generator<ImageMutant> {
  const dice = new Dice(seed);
  for (let made = 0; made < count; ) {
    const way = WAYS[dice.below(WAYS.length)] ?? flipBit;
    const drawn = way(specimen, dice);
    const mutant = drawn && dice.below(2) === 0 ? repaired(specimen, drawn) : drawn;
    if (mutant === undefined || equalBytes(mutant.bytes, specimen.bytes)) continue;
    made += 1;
    yield mutant;
  }
}

function repaired({ bytes, repair }: Specimen, mutant: ImageMutant): ImageMutant {
  if (repair === undefined || mutant.bytes.length !== bytes.length) return mutant;
  const copy = mutant.bytes.slice();
  repair(copy);
  return { change: `${mutant.change}, checksums set right`, bytes: copy };
}

function flipBit({ bytes }: Specimen, dice: Dice): ImageMutant {
  return flipAt(bytes, dice.below(bytes.length), dice);
}

/** Most bytes are payload; every second flip is elsewhere. */
function flipBitOfStructure({ bytes, anatomy }: Specimen, dice: Dice): ImageMutant | undefined {
  const part = drawPart(anatomy.parts, dice);
  return part && flipAt(bytes, part.start + dice.below(Math.min(part.end - part.start, 256)), dice);
}

function flipAt(bytes: Uint8Array, at: number, dice: Dice): ImageMutant {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ (1 << dice.below(8));
  return { change: `a bit of byte ${at}`, bytes: copy };
}

function setByte({ bytes }: Specimen, dice: Dice): ImageMutant {
  const at = dice.below(bytes.length);
  const copy = bytes.slice();
  copy[at] = dice.pick([0, 0xff, dice.below(256)]);
  return { change: `byte ${at}`, bytes: copy };
}

function setNumber({ bytes, anatomy }: Specimen, dice: Dice): ImageMutant | undefined {
  const field = anatomy.numbers[dice.below(anatomy.numbers.length)];
  if (field === undefined) return undefined;
  const value = readNumber(bytes, field);
  const most = 2n ** BigInt(field.form === 'hex' ? 32 : 8 * field.width) - 1n;
  const near = BigInt(1 + dice.below(16));
  const wanted = dice.pick([0n, 1n, value + 1n, value - 1n, value + near, value - near, value * 2n, most, most - near]);
  const copy = bytes.slice();
  writeNumber(copy, field, wanted & most);
  return { change: `number at ${field.at} is ${wanted & most}`, bytes: copy };
}

function dropPart(specimen: Specimen, dice: Dice): ImageMutant | undefined {
  const part = drawPart(specimen.anatomy.parts, dice);
  return part && replace(specimen, part, new Uint8Array(0), dice, 'left out');
}

function doublePart(specimen: Specimen, dice: Dice): ImageMutant | undefined {
  const part = drawPart(specimen.anatomy.parts, dice);
  if (part === undefined) return undefined;
  const own = specimen.bytes.subarray(part.start, part.end);
  return replace(specimen, part, concatBytes(own, own), dice, 'doubled');
}

/** Exchanges two pieces of one kind, or any two that do not overlap. */
function swapParts({ bytes, anatomy }: Specimen, dice: Dice): ImageMutant | undefined {
  const one = drawPart(anatomy.parts, dice);
  const alike = anatomy.parts.filter((part) => one !== undefined && apart(part, one) && part.name === one.name);
  const other = drawPart(alike.length === 0 || dice.below(4) === 0 ? anatomy.parts : alike, dice);
  if (one === undefined || other === undefined || !apart(one, other)) return undefined;
  const [first, second] = one.start < other.start ? [one, other] : [other, one];
  return {
    change: `${first.name} at ${first.start} and ${second.name} at ${second.start} exchanged`,
    bytes: concatBytes(
      bytes.subarray(0, first.start),
      bytes.subarray(second.start, second.end),
      bytes.subarray(first.end, second.start),
      bytes.subarray(first.start, first.end),
      bytes.subarray(second.end),
    ),
  };
}

function apart(one: Part, other: Part): boolean {
  return one.end <= other.start || other.end <= one.start;
}

/** Puts a piece where another begins. */
function movePart({ bytes, anatomy }: Specimen, dice: Dice): ImageMutant | undefined {
  const [part, target] = [drawPart(anatomy.parts, dice), drawPart(anatomy.parts, dice)];
  if (part === undefined || target === undefined || !apart(part, target)) return undefined;
  const own = bytes.slice(part.start, part.end);
  const rest = concatBytes(bytes.subarray(0, part.start), bytes.subarray(part.end));
  const at = target.start < part.start ? target.start : target.start - own.length;
  return {
    change: `${part.name} at ${part.start} moved to ${target.start}`,
    bytes: concatBytes(rest.subarray(0, at), own, rest.subarray(at)),
  };
}

/** Lays one piece over another of the same size. */
function overwritePart({ bytes, anatomy }: Specimen, dice: Dice): ImageMutant | undefined {
  const part = drawPart(anatomy.parts, dice);
  if (part === undefined) return undefined;
  const size = part.end - part.start;
  const same = anatomy.parts.filter((other) => other.end - other.start === size && other.start !== part.start);
  const other = drawPart(same, dice);
  const copy = bytes.slice();
  if (other === undefined) copy.fill(dice.pick([0, 0xff]), part.start, part.end);
  else copy.copyWithin(part.start, other.start, other.end);
  return { change: `${part.name} at ${part.start} laid over`, bytes: copy };
}

function growPart(specimen: Specimen, dice: Dice): ImageMutant | undefined {
  const part = drawPart(specimen.anatomy.parts, dice);
  if (part === undefined) return undefined;
  const more = new Uint8Array(1 + dice.below(8)).fill(dice.pick([0, 0xff, dice.below(256)]));
  const own = specimen.bytes.subarray(part.start, part.end);
  return replace(specimen, part, dice.below(2) === 0 ? concatBytes(own, more) : concatBytes(more, own), dice, 'grown');
}

function shrinkPart(specimen: Specimen, dice: Dice): ImageMutant | undefined {
  const part = drawPart(specimen.anatomy.parts, dice);
  if (part === undefined) return undefined;
  const own = specimen.bytes.subarray(part.start, part.end);
  const less = 1 + dice.below(Math.min(8, own.length));
  return replace(specimen, part, dice.below(2) === 0 ? own.subarray(less) : own.subarray(0, -less), dice, 'shrunk');
}

function cut({ bytes }: Specimen, dice: Dice): ImageMutant {
  const length = dice.below(4) === 0 ? bytes.length - 1 - dice.below(64) : dice.below(bytes.length);
  return { change: `cut to ${length}`, bytes: bytes.slice(0, Math.max(0, length)) };
}

function append({ bytes }: Specimen, dice: Dice): ImageMutant {
  const size = dice.pick([1, 4, 16, 512, 4096, 1 + dice.below(64)]);
  const tail = dice.below(3) === 0 ? bytes.slice(-size) : new Uint8Array(size).fill(dice.pick([0, 0xff, 0x5a]));
  return { change: `${tail.length} bytes appended`, bytes: concatBytes(bytes, tail) };
}

/** A byte put in or taken out, and everything behind it slides. */
function slide({ bytes }: Specimen, dice: Dice): ImageMutant {
  const at = dice.below(bytes.length);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  return dice.below(2) === 0
    ? { change: `a byte put in at ${at}`, bytes: concatBytes(head, Uint8Array.of(dice.below(256)), tail) }
    : { change: `byte ${at} taken out`, bytes: concatBytes(head, tail.subarray(1)) };
}

function drawPart(parts: readonly Part[], dice: Dice): Part | undefined {
  return parts[dice.below(Math.max(parts.length, 1))];
}

/** Puts other bytes in the place of a piece; mostly with the numbers set right that count it. */
function replace({ bytes }: Specimen, part: Part, own: Uint8Array, dice: Dice, how: string): ImageMutant {
  const whole = concatBytes(bytes.subarray(0, part.start), own, bytes.subarray(part.end));
  const change = `${part.name} at ${part.start} ${how}`;
  if (part.counted.length === 0 || dice.below(4) === 0) return { change, bytes: whole };
  const grown = BigInt(own.length - (part.end - part.start));
  for (const field of part.counted) {
    // A field behind the piece has moved with it.
    const at = field.at >= part.end ? field.at + Number(grown) : field.at;
    writeNumber(whole, { ...field, at }, readNumber(bytes, field) + grown);
  }
  return { change: `${change}, lengths set right`, bytes: whole };
}

function readNumber(bytes: Uint8Array, { at, width, form }: NumberField): bigint {
  const field = bytes.slice(at, at + width);
  if (form === 'hex') return BigInt(Number.parseInt(new TextDecoder('latin1').decode(field), 16) || 0);
  const digits = form === 'le' ? field.reverse() : field;
  return digits.reduce((value, byte) => value * 256n + BigInt(byte), 0n);
}

function writeNumber(bytes: Uint8Array, { at, width, form }: NumberField, value: bigint): void {
  if (form === 'hex') {
    const digits = BigInt.asUintN(32, value).toString(16).toUpperCase().padStart(8, '0');
    bytes.set(new TextEncoder().encode(digits), at);
    return;
  }
  for (let index = 0; index < width; index++) {
    const shift = BigInt(8 * (form === 'le' ? index : width - 1 - index));
    if (at + index < bytes.length) bytes[at + index] = Number((value >> shift) & 0xffn);
  }
}
