import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generatePrivateKey } from '@holdfast/crypto';
import { encodeBase64, encodeHex, encodeUtf8, seededRandom, systemRandom } from '@holdfast/kernel';
import { afterAll, describe, expect, it } from 'vitest';
import { FileBlobs } from '../engines/blobs/file-blobs.ts';
import { loadRootKey } from '../engines/keys/root-key.ts';
import { openStorageBed } from './conformance/storage-bed.ts';
import { query } from './schema.ts';

const base = mkdtempSync(path.join(tmpdir(), 'holdfast-rest-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const SECRET = 'canary-5f1c9a-wifi-password';
const FIRMWARE = seededRandom(11).bytes(3_000_000);

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((name) => statSync(name).isFile());
}

describe('the data folder', () => {
  it('holds nothing of what was sealed in clear, running or stopped, and opens with its root key again', async () => {
    const data = path.join(base, 'data');
    mkdirSync(data, { mode: 0o700 });
    const root = () =>
      loadRootKey({
        reference: undefined,
        dataFolder: data,
        fresh: !readdirSync(data).includes('store.db'),
        random: systemRandom,
        environment: {},
      });
    const open = async () =>
      openStorageBed({
        rootKey: root().bytes,
        location: path.join(data, 'store.db'),
        blobs: await FileBlobs.open(path.join(data, 'blobs'), systemRandom),
      });
    async function* content() {
      for (let at = 0; at < FIRMWARE.length; at += 65_536) yield FIRMWARE.subarray(at, at + 65_536);
    }

    const bed = await open();
    const imported = await generatePrivateKey('P-256');
    await bed.secrets.put('default', 'wifi', encodeUtf8(SECRET), 'system');
    await bed.keys.create({ tenant: 'default', keyId: 'ca', actor: 'system', imported });
    const { artifactId } = await bed.artifacts.create({
      tenant: 'default',
      actor: 'system',
      content: content(),
      maxBytes: 4_000_000,
    });

    const pkcs8 = imported.exportPkcs8();
    // RFC 5915: the scalar is 32 octets at a fixed place of the PKCS #8 of a P-256 key.
    const scalar = pkcs8.subarray(36, 68);
    const canaries = [
      encodeUtf8(SECRET),
      pkcs8,
      scalar,
      root().bytes,
      FIRMWARE.subarray(0, 24),
      FIRMWARE.subarray(-24),
    ];
    const forms = canaries.flatMap((bytes) => [
      Buffer.from(bytes),
      Buffer.from(encodeHex(bytes)),
      Buffer.from(encodeBase64(bytes)),
    ]);
    const leaks = () =>
      filesOf(data).filter((file) => {
        const stored = readFileSync(file);
        return forms.some((form) => stored.includes(form));
      });
    expect(filesOf(data).length).toBeGreaterThan(3);
    expect(leaks()).toEqual([]);
    await bed.opened.close();
    expect(leaks()).toEqual([]);
    for (const file of filesOf(data)) expect(statSync(file).mode & 0o077).toBe(0);

    const again = await open();
    expect(await again.secrets.read('default', 'wifi', 'system')).toEqual(encodeUtf8(SECRET));
    const artifact = await again.artifacts.open('default', artifactId);
    expect(await artifact?.read({ start: 2_999_000, end: 3_000_000 })).toEqual(FIRMWARE.slice(2_999_000));
    await artifact?.close();
    await again.opened.close();
  });

  it('no longer holds a destroyed key, in the file or in its write-ahead log', async () => {
    const location = path.join(base, 'shred.db');
    const bed = await openStorageBed({ location, blobs: await FileBlobs.open(path.join(base, 'none'), systemRandom) });
    await bed.secrets.put('default', 'wifi', encodeUtf8(SECRET), 'system');
    const row = await bed.reader.first(query.selectFrom('tenant_keys').select('wrapped'));
    const wrapped = Buffer.from(row?.wrapped ?? []).subarray(-48);
    const holds = () => [location, `${location}-wal`].map((file) => readFileSync(file).includes(wrapped));
    expect(holds()).toContain(true);
    await bed.keyring.shred('default', 'operator:alice');
    expect(holds()).toEqual([false, false]);
    await bed.opened.close();
  });
});
