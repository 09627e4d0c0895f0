import { describe, expect, it } from 'vitest';
import { concatBytes, encodeUtf8, systemRandom } from '@holdfast/kernel';
import {
  type KeyEncryptionKey,
  localKey,
  openRecord,
  openStream,
  rewrapRecord,
  rewrapStreamHead,
  SealedReader,
  type SealContext,
  sealedUnder,
  sealRecord,
  sealStream,
} from '../index.ts';

const coded = (code: string) => expect.objectContaining({ code });
const CONTEXT: SealContext = { tenant: 'acme', kind: 'secret', id: 'wifi', version: 3 };
const MIB = 1024 * 1024;
const CHUNK = MIB + 16;
const secret = systemRandom.bytes(32);
const first = localKey('tenant/acme', 1, secret, systemRandom);
const second = localKey('tenant/acme', 2, systemRandom.bytes(32), systemRandom);
const ring =
  (...keys: readonly KeyEncryptionKey[]) =>
  (keyId: string, version: number) =>
    keys.find((key) => key.keyId === keyId && key.version === version);

/** Every place a sealing could be moved to. */
const ELSEWHERE: readonly [string, Partial<SealContext>][] = [
  ['another record', { id: 'mqtt' }],
  ['another tenant', { tenant: 'evil' }],
  ['another kind', { kind: 'blob' }],
  ['an older version', { version: 2 }],
  ['names that join to the same text', { kind: 'secretw', id: 'ifi' }],
];

async function* streamOf(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return concatBytes(...parts);
}

describe('sealed records', () => {
  const plaintext = encodeUtf8('correct horse');

  it('open in their own place and nowhere else', async () => {
    const sealed = await sealRecord(first, CONTEXT, plaintext, systemRandom);
    expect(await openRecord(ring(first), CONTEXT, sealed)).toEqual(plaintext);
    for (const [, change] of ELSEWHERE) {
      await expect(openRecord(ring(first), { ...CONTEXT, ...change }, sealed)).rejects.toThrowError(
        coded('crypto.open_failed'),
      );
    }
  });

  it('are refused after any one bit of them changed, and at every shorter length', async () => {
    const sealed = await sealRecord(first, CONTEXT, plaintext, systemRandom);
    for (let at = 0; at < sealed.length; at++) {
      const flipped = Uint8Array.from(sealed);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      await expect(openRecord(ring(first), CONTEXT, flipped)).rejects.toThrowError(
        expect.objectContaining({ code: expect.stringMatching(/^crypto\.(open_failed|unknown_key)$/) }),
      );
      await expect(openRecord(ring(first), CONTEXT, sealed.subarray(0, at))).rejects.toThrowError(
        coded('crypto.open_failed'),
      );
    }
  });

  it('do not open under another key of the same name, and name a version that is gone', async () => {
    const sealed = await sealRecord(first, CONTEXT, plaintext, systemRandom);
    const impostor = localKey('tenant/acme', 1, systemRandom.bytes(32), systemRandom);
    await expect(openRecord(ring(impostor), CONTEXT, sealed)).rejects.toThrowError(coded('crypto.open_failed'));
    await expect(openRecord(ring(second), CONTEXT, sealed)).rejects.toThrowError(coded('crypto.unknown_key'));
  });

  it('never have the same bytes twice', async () => {
    const [a, b] = [
      await sealRecord(first, CONTEXT, plaintext, systemRandom),
      await sealRecord(first, CONTEXT, plaintext, systemRandom),
    ];
    expect(a).not.toEqual(b);
  });

  it('are rewrapped without touching the ciphertext, after which the old version can go', async () => {
    const sealed = await sealRecord(first, CONTEXT, plaintext, systemRandom);
    const rewrapped = await rewrapRecord(ring(first), second, CONTEXT, sealed);
    expect(sealedUnder('record', rewrapped)).toEqual({ keyId: 'tenant/acme', keyVersion: 2 });
    expect(rewrapped.subarray(-40)).toEqual(sealed.subarray(-40));
    expect(await openRecord(ring(second), CONTEXT, rewrapped)).toEqual(plaintext);
    await expect(rewrapRecord(ring(first), second, { ...CONTEXT, id: 'x' }, sealed)).rejects.toThrowError(
      coded('crypto.open_failed'),
    );
    const foreign = localKey('tenant/evil', 1, secret, systemRandom);
    await expect(rewrapRecord(ring(first), foreign, CONTEXT, sealed)).rejects.toThrowError(coded('crypto.bad_key'));
  });

  it('are not streams', async () => {
    const sealed = await sealRecord(first, CONTEXT, plaintext, systemRandom);
    await expect(collect(openStream(ring(first), CONTEXT, streamOf(sealed)))).rejects.toThrowError(
      coded('crypto.open_failed'),
    );
  });
});

describe('sealed streams', () => {
  const content = systemRandom.bytes(2 * MIB + 333);
  const sealing = collect(
    sealStream(first, CONTEXT, streamOf(content.subarray(0, 999), content.subarray(999)), systemRandom),
  );
  const open = (bytes: Uint8Array, context = CONTEXT) => collect(openStream(ring(first), context, streamOf(bytes)));

  it.each([0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB])('of %i octets come back, however they are cut', async (size) => {
    const plaintext = content.subarray(0, size);
    const sealed = await collect(sealStream(first, CONTEXT, streamOf(plaintext), systemRandom));
    expect(Buffer.compare(await open(sealed), plaintext)).toBe(0);
    const parts = [sealed.subarray(0, 3), sealed.subarray(3, 70), sealed.subarray(70, 5000), sealed.subarray(5000)];
    expect(Buffer.compare(await collect(openStream(ring(first), CONTEXT, streamOf(...parts))), plaintext)).toBe(0);
  });

  it.each(ELSEWHERE)('do not open in %s', async (_name, change) => {
    await expect(open(await sealing, { ...CONTEXT, ...change })).rejects.toThrowError(coded('crypto.open_failed'));
  });

  it('are refused when chunks are missing, moved, doubled, added or altered', async () => {
    const sealed = await sealing;
    const bodyStart = sealed.length - (2 * CHUNK + 333 + 16);
    const head = sealed.subarray(0, bodyStart);
    const [a, b, c] = [0, 1, 2].map((n) => sealed.subarray(bodyStart + n * CHUNK, bodyStart + (n + 1) * CHUNK));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three chunks');
    const flipped = Uint8Array.from(b);
    flipped[7] = (flipped[7] ?? 0) ^ 1;
    const attacks: readonly (readonly Uint8Array[])[] = [
      [a, b],
      [a],
      [],
      [b, a, c],
      [a, a, b, c],
      [a, c],
      [a, b, c, c],
      [a, flipped, c],
      [a, b, c.subarray(0, -1)],
      [a, b, c, Uint8Array.of(0)],
    ];
    expect(Buffer.compare(await open(concatBytes(head, a, b, c)), content)).toBe(0);
    for (const attack of attacks) {
      await expect(open(concatBytes(head, ...attack))).rejects.toThrowError(coded('crypto.open_failed'));
    }
  });

  it('give any range, reading only the chunks it touches', async () => {
    const sealed = await sealing;
    let octetsRead = 0;
    const source = {
      size: sealed.length,
      read: async (start: number, end: number) => {
        octetsRead += end - start;
        return sealed.subarray(start, end);
      },
    };
    const reader = await SealedReader.open(ring(first), CONTEXT, source);
    expect(reader.size).toBe(content.length);
    for (const [start, end] of [
      [0, 0],
      [0, 1],
      [MIB - 1, MIB + 1],
      [MIB, 2 * MIB],
      [5, content.length],
      [content.length, content.length],
    ] as const) {
      const part = await collect(reader.read({ start, end }));
      expect(Buffer.compare(part, content.subarray(start, end))).toBe(0);
    }
    octetsRead = 0;
    await collect(reader.read({ start: 10, end: 20 }));
    expect(octetsRead).toBe(CHUNK);
    await expect(collect(reader.read({ start: 0, end: content.length + 1 }))).rejects.toThrowError(
      coded('wire.malformed'),
    );
  });

  it('show a cut when the last chunk of a range is read', async () => {
    const sealed = (await sealing).subarray(0, -(333 + 16));
    const source = { size: sealed.length, read: async (start: number, end: number) => sealed.subarray(start, end) };
    const reader = await SealedReader.open(ring(first), CONTEXT, source);
    await expect(collect(reader.read({ start: MIB, end: reader.size }))).rejects.toThrowError(
      coded('crypto.open_failed'),
    );
  });

  it('are rewrapped by their head alone', async () => {
    const sealed = await sealing;
    const { head, replaced } = await rewrapStreamHead(ring(first), second, CONTEXT, sealed.subarray(0, 2000));
    expect(head.length).toBe(replaced);
    const rewrapped = concatBytes(head, sealed.subarray(replaced));
    expect(Buffer.compare(await collect(openStream(ring(second), CONTEXT, streamOf(rewrapped))), content)).toBe(0);
  });
});
