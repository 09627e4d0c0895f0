import { decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import {
  contextConstructed,
  contextPrimitive,
  decodeDer,
  type DerReader,
  encodeContext,
  encodeContextPrimitive,
  encodeEnumerated,
  encodeInteger,
  encodeNamedBits,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeUtf8String,
  TAG,
} from '../asn1/index.ts';

/** Mode of Open DICE, by number (specification, "Mode Value Details"). */
export const DICE_MODES = ['not-configured', 'normal', 'debug', 'recovery'] as const;
export type DiceMode = (typeof DICE_MODES)[number];

/** The measured inputs of one layer (Open DICE specification, "X.509 Extension Fields"). */
export interface OpenDiceInput {
  readonly codeHash?: Uint8Array | undefined;
  readonly codeDescriptor?: Uint8Array | undefined;
  readonly configurationHash?: Uint8Array | undefined;
  readonly configurationDescriptor?: Uint8Array | undefined;
  readonly authorityHash?: Uint8Array | undefined;
  readonly authorityDescriptor?: Uint8Array | undefined;
  readonly mode?: DiceMode | undefined;
  readonly profileName?: string | undefined;
}

/** DiceTcbInfo (TCG DICE Attestation Architecture 6.1.1). */
export interface TcbInfo {
  readonly vendor?: string | undefined;
  readonly model?: string | undefined;
  readonly version?: string | undefined;
  readonly svn?: number | undefined;
  readonly layer?: number | undefined;
  readonly index?: number | undefined;
  readonly fwids: readonly Fwid[];
  /** Numbers of the set OperationalFlags bits: 0 notConfigured, 1 notSecure, 2 recovery, 3 debug and on. */
  readonly flags: readonly number[];
  readonly vendorInfo?: Uint8Array | undefined;
  readonly type?: Uint8Array | undefined;
}

/** One firmware identity: hash algorithm OID and digest. */
export interface Fwid {
  readonly hashAlgorithm: string;
  readonly digest: Uint8Array;
}

const BYTE_FIELDS = [
  'codeHash',
  'codeDescriptor',
  'configurationHash',
  'configurationDescriptor',
  'authorityHash',
  'authorityDescriptor',
] as const;
const MODE = 6;
const PROFILE_NAME = 7;
const MAX_SVN = 0xffffffff;

/** Value of extension 1.3.6.1.4.1.11129.2.1.24; every field is explicitly tagged by its place in the list. */
export function encodeOpenDiceInput(input: OpenDiceInput): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const [number, field] of BYTE_FIELDS.entries()) {
    const value = input[field];
    if (value !== undefined) parts.push(encodeContext(number, encodeOctetString(value)));
  }
  if (input.mode !== undefined) parts.push(encodeContext(MODE, encodeEnumerated(DICE_MODES.indexOf(input.mode))));
  if (input.profileName !== undefined) parts.push(encodeContext(PROFILE_NAME, encodeUtf8String(input.profileName)));
  return encodeSequence(...parts);
}

/** @throws `wire.malformed` for fields out of order, an unknown field or mode. */
export function decodeOpenDiceInput(value: Uint8Array): OpenDiceInput {
  return decodeDer(value, 'openDiceInput', (whole) => {
    const reader = whole.sequence('openDiceInput');
    const bytes: Record<string, Uint8Array> = {};
    for (const [number, field] of BYTE_FIELDS.entries()) {
      const content = readExplicit(reader, number, (inner) => inner.octetString(field));
      if (content !== undefined) bytes[field] = content;
    }
    const mode = readExplicit(
      reader,
      MODE,
      (inner) => DICE_MODES[inner.uint('mode', DICE_MODES.length - 1, TAG.enumerated)],
    );
    const profileName = readExplicit(reader, PROFILE_NAME, (inner) => inner.string('profileName'));
    reader.end('openDiceInput');
    return { ...bytes, ...(mode === undefined ? {} : { mode }), ...(profileName === undefined ? {} : { profileName }) };
  });
}

/** Value of extension 2.23.133.5.4.1. */
export function encodeTcbInfo(info: TcbInfo): Uint8Array<ArrayBuffer> {
  const text = (number: number, value: string | undefined) =>
    value === undefined ? [] : [encodeContextPrimitive(number, encodeUtf8(value))];
  const integer = (number: number, value: number | undefined) =>
    value === undefined ? [] : [encodeContextPrimitive(number, encodeInteger(value).subarray(2))];
  const octets = (number: number, value: Uint8Array | undefined) =>
    value === undefined ? [] : [encodeContextPrimitive(number, value)];
  const fwids = info.fwids.map(({ hashAlgorithm, digest }) =>
    encodeSequence(encodeOid(hashAlgorithm), encodeOctetString(digest)),
  );
  return encodeSequence(
    ...text(0, info.vendor),
    ...text(1, info.model),
    ...text(2, info.version),
    ...integer(3, info.svn),
    ...integer(4, info.layer),
    ...integer(5, info.index),
    ...(fwids.length === 0 ? [] : [encodeContext(6, ...fwids)]),
    ...(info.flags.length === 0 ? [] : [encodeContextPrimitive(7, encodeNamedBits(info.flags).subarray(2))]),
    ...octets(8, info.vendorInfo),
    ...octets(9, info.type),
  );
}

export function decodeTcbInfo(value: Uint8Array): TcbInfo {
  return decodeDer(value, 'tcbInfo', readTcbInfo);
}

/** Value of extension 2.23.133.5.4.5: one or more TcbInfo. */
export function decodeMultiTcbInfo(value: Uint8Array): readonly TcbInfo[] {
  return decodeDer(value, 'multiTcbInfo', (reader) => reader.sequenceOf('multiTcbInfo', readTcbInfo, 64));
}

function readTcbInfo(whole: DerReader): TcbInfo {
  const reader = whole.sequence('tcbInfo');
  const [vendor, model, version] = ['vendor', 'model', 'version'].map((field, number) =>
    optional(reader, number, (tag) => decodeUtf8(reader.octetString(field, tag), field)),
  );
  const [svn, layer, index] = ['svn', 'layer', 'index'].map((field, position) =>
    optional(reader, 3 + position, (tag) => reader.uint(field, MAX_SVN, tag)),
  );
  const fwids = reader.enterOptional(contextConstructed(6), 'fwids')?.rest('fwids', readFwid, 64) ?? [];
  const flags = optional(reader, 7, (tag) => setBits(reader.bitString('flags', tag).bytes)) ?? [];
  const vendorInfo = optional(reader, 8, (tag) => reader.octetString('vendorInfo', tag));
  const type = optional(reader, 9, (tag) => reader.octetString('type', tag));
  // Later revisions append flagsMask and integrityRegisters, which say nothing we judge by.
  reader.rest('tcbInfo', (item) => item.any('tcbInfo'), 8);
  return { vendor, model, version, svn, layer, index, fwids, flags, vendorInfo, type };
}

function readFwid(reader: DerReader): Fwid {
  const inner = reader.sequence('fwid');
  const fwid = { hashAlgorithm: inner.oid('hashAlg'), digest: inner.octetString('digest') };
  inner.end('fwid');
  return fwid;
}

function optional<T>(reader: DerReader, number: number, read: (tag: number) => T): T | undefined {
  const tag = contextPrimitive(number);
  return reader.peekTag() === tag ? read(tag) : undefined;
}

function readExplicit<T>(reader: DerReader, number: number, read: (inner: DerReader) => T): T | undefined {
  const inner = reader.enterOptional(contextConstructed(number), 'openDiceInput');
  if (inner === undefined) return undefined;
  const value = read(inner);
  inner.end('openDiceInput');
  return value;
}

function setBits(bytes: Uint8Array): number[] {
  if (bytes.length > 4) throw new HoldfastError('wire.too_large', { field: 'flags', limit: 4 });
  return Array.from({ length: 8 * bytes.length }, (_, bit) => bit).filter(
    (bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0,
  );
}
