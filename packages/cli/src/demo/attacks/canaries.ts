import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { decodeBase64Url, decodeHex, encodeHex, encodeUtf8, systemRandom } from '@holdfast/kernel';
import { importPrivateKeyPem, type PrivateKey } from '@holdfast/crypto';
import { softwareKeyOf } from '@holdfast/device';
import { credentialsOf, knock } from '../outsider.ts';
import { type Stage, STORY_HUBS } from '../stage.ts';
import { EXTRA } from '../story/extras.ts';
import { findingOf, type Trial } from '../trial.ts';
import { formsOf } from './secret-forms.ts';

/** A piece of the firmware that is long enough to be found by nothing but itself. */
const PIECE = 48;

export const CANARIES: Trial = {
  name: 'canaries',
  title: 'known secrets are searched for in every file of the server and in what a tap recorded',
  expected: 'none of them anywhere, in no encoding; what is no secret is found, so the search works',
  async perform(stage) {
    const secrets = await plant(stage);
    const files = filesUnder(stage.server.dataFolder);
    const recorded = Buffer.concat(stage.relays.map((relay) => relay.recorded()));
    const stored = files.map((file) => readFileSync(file));
    const leaksStored = secrets.filter(({ bytes }) => stored.some((content) => holds(content, bytes)));
    const leaksSent = secrets.filter(({ bytes }) => holds(recorded, bytes));
    const size = stored.reduce((sum, { length }) => sum + length, 0);
    const control = stored.some((content) => holds(content, encodeUtf8(EXTRA.old)));
    const sni = holds(recorded, encodeUtf8(stage.address.host));
    return findingOf([
      ['secrets', secrets.length, secrets.length > 8],
      [`in ${files.length} files, ${kib(size)}`, namesOf(leaksStored), leaksStored.length === 0 && files.length > 3],
      [`on the wire, ${kib(recorded.length)}`, namesOf(leaksSent), leaksSent.length === 0],
      ['a device name in the files', control ? 'found' : 'not found', control],
      ['the host name on the wire', sni ? 'found' : 'not found', sni],
    ]);
  },
};

interface Secret {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Secrets the server was given, made or passed on; the message is stored by it, retained. */
async function plant(stage: Stage): Promise<readonly Secret[]> {
  const { client, claims, server, firmware } = stage;
  const message = encodeHex(systemRandom.bytes(24));
  const { line } = await knock(stage, credentialsOf(await stage.hub(EXTRA.old).identity()));
  await line.publish(`devices/${EXTRA.old}/notes`, message, true);
  await line.close();
  const { url } = await client.call('console.link', {});
  const rootKey = readFileSync(`${server.dataFolder}.root-key`, 'utf8').trim();
  const { key } = await stage.hub(STORY_HUBS.keys.serial).identity();
  const { bytes } = firmware.newer;
  const at = bytes.length >> 1;
  return [
    { name: 'retained message', bytes: encodeUtf8(message) },
    { name: 'console link', bytes: encodeUtf8(new URL(url).hash.slice(1)) },
    { name: 'root key as written', bytes: encodeUtf8(rootKey) },
    ...(/^[0-9a-f]{64}$/i.test(rootKey) ? [{ name: 'root key', bytes: decodeHex(rootKey.toLowerCase()) }] : []),
    { name: 'key made for a device', bytes: scalarOf(softwareKeyOf(key)) },
    { name: 'firmware', bytes: bytes.slice(at, at + PIECE) },
    ...claims.map(({ id, privateKeyPem }) => ({
      name: `key of claim ${id}`,
      bytes: scalarOf(importPrivateKeyPem(privateKeyPem)),
    })),
  ];
}

/** The secret number of a key: whatever form a key is written in, it stands in it. */
function scalarOf({ keyObject }: PrivateKey): Uint8Array {
  return decodeBase64Url(keyObject.export({ format: 'jwk' }).d ?? '');
}

function holds(content: Buffer, secret: Uint8Array): boolean {
  return formsOf(secret).some((form) => content.includes(form));
}

function filesUnder(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name));
}

function namesOf(leaks: readonly Secret[]): string {
  return leaks.length === 0 ? 'none' : leaks.map(({ name }) => name).join(', ');
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}
