import { describe, expect, it } from 'vitest';
import { decodeHex, encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import {
  consistencyProof,
  createSigner,
  decodeCheckpoint,
  decodeNote,
  decodeNoteKey,
  encodeCheckpoint,
  encodeNoteKey,
  generatePrivateKey,
  inclusionProof,
  leafHash,
  MerkleFrontier,
  merkleRoot,
  noteKey,
  signNote,
  subtreesOf,
  verifyConsistency,
  verifyInclusion,
  verifyNote,
} from '../index.ts';

const coded = (code: string) => expect.objectContaining({ code });

// Certificate Transparency's reference entries and roots (google/certificate-transparency merkletree tests).
const ENTRIES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const leaves = Array.from({ length: 40 }, (_, n) => leafHash(decodeHex(ENTRIES[n] ?? encodeHex(Uint8Array.of(n, n)))));

describe('Merkle trees', () => {
  it('have the reference roots, also when the frontier is stored in between', async () => {
    let frontier = new MerkleFrontier();
    for (const [index, root] of ROOTS.entries()) {
      frontier = new MerkleFrontier(frontier.size, frontier.hashes);
      frontier.append(leaves[index] ?? new Uint8Array(32));
      expect(encodeHex(frontier.root())).toBe(root);
      expect(encodeHex((await merkleRoot(leaves.slice(0, index + 1))).root)).toBe(root);
    }
    expect(encodeHex(new MerkleFrontier().root())).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    expect(() => new MerkleFrontier(3n, [new Uint8Array(32)])).toThrowError(coded('wire.malformed'));
  });

  it('prove every leaf of every size, and no other leaf, place, size or path', () => {
    for (let size = 1; size <= leaves.length; size++) {
      const hash = subtreesOf(leaves.slice(0, size));
      const root = hash(0, size);
      for (let index = 0; index < size; index++) {
        const leaf = leaves[index] ?? new Uint8Array(32);
        const path = inclusionProof(hash, index, size);
        const claim = { leaf, index: BigInt(index), size: BigInt(size), path, root };
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, leaf: root })).toBe(size === 1);
        expect(verifyInclusion({ ...claim, index: BigInt(size) })).toBe(false);
        expect(verifyInclusion({ ...claim, path: [...path, root] })).toBe(false);
        expect(verifyInclusion({ ...claim, path: path.slice(1) })).toBe(path.length === 0);
        expect(verifyInclusion({ ...claim, index: BigInt(index === 0 ? 1 : index - 1) })).toBe(false);
      }
    }
  });

  it('prove that each size continues each smaller one, and nothing else', () => {
    const rootOf = (size: number) => subtreesOf(leaves.slice(0, size))(0, size);
    for (let second = 1; second <= 24; second++) {
      const hash = subtreesOf(leaves.slice(0, second));
      for (let first = 1; first <= second; first++) {
        const path = consistencyProof(hash, first, second);
        const claim = {
          first: BigInt(first),
          second: BigInt(second),
          firstRoot: rootOf(first),
          secondRoot: rootOf(second),
          path,
        };
        expect(verifyConsistency(claim)).toBe(true);
        expect(verifyConsistency({ ...claim, firstRoot: rootOf(first + 1) })).toBe(false);
        expect(verifyConsistency({ ...claim, secondRoot: rootOf(second + 1) })).toBe(false);
        expect(verifyConsistency({ ...claim, path: [...path, rootOf(1)] })).toBe(false);
        if (first < second) expect(verifyConsistency({ ...claim, path: path.slice(0, -1) })).toBe(false);
      }
    }
  });
});

describe('signed notes', () => {
  // C2SP signed-note.md, "Example".
  const VKEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
  const NOTE =
    'This is an example message.\n\n' +
    '\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';

  it('verify as the specification shows', () => {
    const key = decodeNoteKey(VKEY);
    expect(encodeNoteKey(key)).toBe(VKEY);
    expect(verifyNote(decodeNote(NOTE), [key])).toEqual({
      kind: 'verified',
      text: 'This is an example message.\n',
      signers: ['example.com/foo'],
    });
  });

  it('have key ids as the specification derives them, and vkeys that come back', async () => {
    const key = await generatePrivateKey('ed25519');
    const own = noteKey('log.test/a', key.publicKey.spki);
    expect(decodeNoteKey(encodeNoteKey(own)).keyId).toEqual(own.keyId);
    expect(() => decodeNoteKey(VKEY.replace('530d', '530e'))).toThrowError(HoldfastError);
  });

  it('verify for a known key, pass over strangers, and are condemned by a known key that fails', async () => {
    const [log, other] = [await generatePrivateKey('ed25519'), await generatePrivateKey('ed25519')];
    const keys = [noteKey('log.test', log.publicKey.spki)];
    const text = 'line\n\nafter an empty line\n';
    const note = await signNote(text, 'log.test', createSigner(log));
    const decoded = decodeNote(note);
    expect(decoded.text).toBe(text);
    expect(verifyNote(decoded, keys)).toEqual({ kind: 'verified', text, signers: ['log.test'] });
    expect(verifyNote({ ...decoded, text: 'lime\n' }, keys)).toEqual({ kind: 'bad-signature', name: 'log.test' });
    const strange = decodeNote(await signNote(text, 'log.test', createSigner(other)));
    expect(verifyNote(strange, keys)).toEqual({ kind: 'no-known-signer' });
    const both = { ...decoded, signatures: [...strange.signatures, ...decoded.signatures] };
    expect(verifyNote(both, keys).kind).toBe('verified');
  });

  it.each([
    '',
    'a',
    'a\n',
    'a\n\n',
    'a\n\n\u2014 x\n',
    'a\n\n- x AAAAAAA=\n',
    'a\n\n\u2014 x+y AAAAAAA=\n',
    'a\n\n\u2014 x AAAA\n',
    'a\r\n\n\u2014 x AAAAAAA=\n',
    'a\n\n\u2014 x AAAAAAA=',
  ])('refuse %j', (text) => {
    expect(() => decodeNote(text)).toThrowError(coded('wire.malformed'));
  });
});

describe('checkpoints', () => {
  const root = leaves[0] ?? new Uint8Array(32);

  it('come back, large sizes included', () => {
    const checkpoint = { origin: 'log.test/a', size: 0xffffffffffffffffn, root, extensions: ['x'] };
    expect(decodeCheckpoint(encodeCheckpoint(checkpoint))).toEqual(checkpoint);
  });

  it.each([
    `o\n01\n${Buffer.from(root).toString('base64')}\n`,
    `o\n18446744073709551616\n${Buffer.from(root).toString('base64')}\n`,
    `\n1\n${Buffer.from(root).toString('base64')}\n`,
    `o\n-1\n${Buffer.from(root).toString('base64')}\n`,
    `o\n1\n${Buffer.from(root).toString('base64')}`,
    `o\n1\n${Buffer.from(root).toString('base64')}\n\n`,
    'o\n1\nAAAA\n',
    'o\n1\n',
  ])('refuse %j', (text) => {
    expect(() => decodeCheckpoint(text)).toThrowError(coded('wire.malformed'));
  });

  it('are signed as notes', async () => {
    const log = await generatePrivateKey('ed25519');
    const text = encodeCheckpoint({ origin: 'log.test', size: 1n, root, extensions: [] });
    const verdict = verifyNote(decodeNote(encodeUtf8(await signNote(text, 'log.test', createSigner(log)))), [
      noteKey('log.test', log.publicKey.spki),
    ]);
    expect(verdict.kind === 'verified' && decodeCheckpoint(verdict.text).size).toBe(1n);
  });
});
