import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { installPkcs11Addon } from '../world/pkcs11-addon.ts';
import { succeed } from '../world/run-tool.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the token. */
    token: string;
  }
}

export const MODULE = '/usr/lib/softhsm/libsofthsm2.so';
export const PIN = '648219';
export const LABEL = 'hf';

/** What OpenSC makes in it: label and kind; their ids are a0, a1, … */
const KEYS = [
  ['issuing', 'EC:prime256v1'],
  ['image', 'EC:prime256v1'],
  ['root', 'EC:prime256v1'],
  ['large', 'EC:secp384r1'],
  ['rsa', 'rsa:2048'],
] as const;

/** A token of SoftHSM with keys that OpenSC made, and the addon, for all files. */
export default async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-softhsm-'));
  mkdirSync(path.join(folder, 'tokens'));
  const configuration = path.join(folder, 'softhsm2.conf');
  writeFileSync(configuration, `directories.tokendir = ${path.join(folder, 'tokens')}\nlog.level = ERROR\n`);
  writeFileSync(path.join(folder, 'pin'), `${PIN}\n`, { mode: 0o600 });
  process.env['SOFTHSM2_CONF'] = configuration;
  process.env['NODE_PATH'] = await installPkcs11Addon(folder);
  await succeed('softhsm2-util', ['--init-token', '--free', '--label', LABEL, '--pin', PIN, '--so-pin', '12345678']);
  for (const [at, [label, kind]] of KEYS.entries()) {
    const wish = ['--keypairgen', '--key-type', kind, '--label', label, '--id', `a${at}`];
    await succeed('pkcs11-tool', ['--module', MODULE, '--token-label', LABEL, '--login', '--pin', PIN, ...wish]);
  }
  project.provide('token', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Takes the token away, or puts it back. */
export function plug(folder: string, isIn: boolean): void {
  const [here, away] = [path.join(folder, 'tokens'), path.join(folder, 'away')];
  if (isIn) {
    rmSync(here, { recursive: true, force: true });
    renameSync(away, here);
    return;
  }
  renameSync(here, away);
  mkdirSync(here);
}
