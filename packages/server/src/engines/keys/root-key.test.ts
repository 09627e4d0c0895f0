import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeBase64, encodeHex, seededRandom } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadRootKey, type RootKeyRequest } from './root-key.ts';

const coded = (code: string) => expect.objectContaining({ code });
const KEY = seededRandom(1).bytes(32);

describe('the root key', () => {
  let base: string;
  let request: RootKeyRequest;

  beforeEach(() => {
    base = mkdtempSync(path.join(tmpdir(), 'holdfast-root-'));
    const dataFolder = path.join(base, 'data');
    mkdirSync(dataFolder, { mode: 0o700 });
    request = { reference: undefined, dataFolder, fresh: true, random: seededRandom(7), environment: {} };
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  const file = (content: string | Uint8Array, mode = 0o600, name = 'key') => {
    const target = path.join(base, name);
    writeFileSync(target, content);
    chmodSync(target, mode);
    return `file:${target}`;
  };

  it('is made once, beside the folder, readable by its owner alone', () => {
    const first = loadRootKey(request);
    const second = loadRootKey({ ...request, fresh: false });
    expect(first).toMatchObject({ created: true, source: `file:${base}/data.root-key` });
    expect(second).toEqual({ ...first, created: false });
    expect(statSync(path.join(base, 'data.root-key')).mode & 0o777).toBe(0o600);
    expect(readdirSync(base).sort()).toEqual(['data', 'data.root-key']);
    expect(readdirSync(request.dataFolder)).toEqual([]);
  });

  it('is never made anew for a folder that holds data: what is sealed would be lost in silence', () => {
    expect(() => loadRootKey({ ...request, fresh: false })).toThrowError(coded('storage.root_key_missing'));
  });

  it.each([
    ['32 raw bytes', KEY],
    ['hex', encodeHex(KEY)],
    ['hex and a line end', `${encodeHex(KEY)}\n`],
    ['base64', encodeBase64(KEY)],
  ])('is read from a file of %s', (_, content) => {
    expect(loadRootKey({ ...request, reference: file(content) }).bytes).toEqual(KEY);
  });

  it('is read from the environment and taken out of it', () => {
    const environment: Record<string, string | undefined> = { HF_KEY: encodeHex(KEY), OTHER: 'x' };
    expect(loadRootKey({ ...request, reference: 'env:HF_KEY', environment }).bytes).toEqual(KEY);
    expect(environment).toEqual({ OTHER: 'x' });
  });

  it('is read from the credentials folder of systemd', () => {
    file(KEY, 0o600, 'holdfast');
    const environment = { CREDENTIALS_DIRECTORY: base };
    expect(loadRootKey({ ...request, reference: 'systemd:holdfast', environment }).bytes).toEqual(KEY);
  });

  it.each([
    ['a file that is not there', () => 'file:/nowhere/key', 'storage.root_key_missing'],
    ['a variable that is not set', () => 'env:HF_KEY', 'storage.root_key_missing'],
    ['a credential without a credentials folder', () => 'systemd:key', 'storage.root_key_missing'],
    ['a file others may read', () => file(KEY, 0o640), 'storage.root_key_exposed'],
    ['a file all may read', () => file(KEY, 0o604), 'storage.root_key_exposed'],
    ['a file inside the data folder', () => file(KEY, 0o600, 'data/key'), 'storage.root_key_inside'],
    ['31 bytes', () => file(KEY.subarray(1)), 'storage.root_key_invalid'],
    ['an empty file', () => file(''), 'storage.root_key_invalid'],
    ['64 characters that are not hex', () => file('z'.repeat(64)), 'storage.root_key_invalid'],
    ['base64 of 33 bytes', () => file(encodeBase64(new Uint8Array(33))), 'storage.root_key_invalid'],
    ['a key given in clear', () => encodeHex(KEY), 'storage.root_key_invalid'],
  ])('is refused from %s', (_, reference, code) => {
    expect(() => loadRootKey({ ...request, reference: reference() })).toThrowError(coded(code));
  });

  it('does not appear in the error that refuses it', () => {
    const secret = `${encodeHex(KEY)}00`;
    try {
      loadRootKey({ ...request, reference: file(secret) });
    } catch (error) {
      expect(JSON.stringify(error) + String(error)).not.toContain(secret.slice(0, 16));
    }
    expect(readFileSync(path.join(base, 'key'), 'utf8')).toBe(secret);
  });
});
