import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ATTACKS } from './attacks/index.ts';
import type { DemoReport } from './render.ts';
import { STORY } from './story/index.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let temporary: string;
beforeAll(() => {
  temporary = mkdtempSync(path.join(tmpdir(), 'demo-test-'));
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

/** Runs `holdfast demo` as a person would; `onOutput` may stop it. */
function demo(args: readonly string[], onOutput: (text: string, stop: () => void) => void = () => undefined) {
  const child = spawn(process.execPath, [MAIN, 'demo', ...args], { env: { ...process.env, TMPDIR: temporary } });
  const { promise, resolve } = Promise.withResolvers<Ended>();
  let out = '';
  let err = '';
  // As Ctrl-C does it: once by the terminal, once by the launcher.
  const stop = (): void => {
    child.kill('SIGINT');
    systemClock.after(5, () => child.kill('SIGINT'));
  };
  child.stdout.on('data', (chunk: Buffer) => onOutput((out += chunk.toString()), stop));
  child.stderr.on('data', (chunk: Buffer) => onOutput((err += chunk.toString()), stop));
  child.once('close', (code) => resolve({ code, out, err }));
  return promise;
}

/** What has to be seen, by name; a trial that looks at something else fails here even if it calls itself held. */
const STORY_SEEN: Readonly<Record<string, RegExp>> = {
  server: /^MQTT on [1-9]\d+, device HTTPS on [1-9]\d+$/,
  factory: /^hub-1: application 7\.27\.0; hub-2: application 7\.27\.0; hub-3: application 7\.27\.0$/,
  enroll:
    /^hub-1: aws-claim, key made by the device; hub-2: aws-claim, key made by the server; hub-3: est, key made by the device$/,
  'restricted-until-proven': /^(hub-\d: notAuthorized, then proven, then accepted(; |$)){3}/,
  rollout: /^hub-1: proven, counter 2; hub-2: proven, counter 2; hub-3: proven, counter 2$/,
  'power-loss': /^power: lost in the swap; swap: resumed; runs: 7\.28\.0 confirmed$/,
  'rolled-back':
    /^outcome: rolled-back; device: reset after its self-test failed; last word: IN_PROGRESS restarting; runs: 7\.28\.0 confirmed; counter: 2$/,
  attackers: /^hub-4: proven on 7\.28\.0; hub-5: proven on 7\.27\.0$/,
};

const ATTACKS_SEEN: Readonly<Record<string, RegExp>> = {
  'foreign-ca':
    /^MQTT TLSv1\.2: no CONNACK, .+; HTTPS TLSv1\.2: no answer, .+; MQTT TLSv1\.3: no CONNACK, .+; HTTPS TLSv1\.3: no answer, .+; audit: [1-9]\d* × auth\.untrusted_ca$/,
  'foreign-topics':
    /CONNACK success, CONNACK success; filters refused: 11 of 11; own filter: granted QoS 1; messages refused: 4 of 4; overheard: 0 of 1$/,
  'flipped-bit':
    /^untouched, on the bench: accepted; server: update\.image_refused \(boot\.hash_mismatch\); bootloader: boot\.hash_mismatch; still runs: 7\.28\.0$/,
  'unsigned-image':
    /^server: update\.image_refused \(boot\.signature_missing\); bootloader: boot\.signature_missing; still runs: 7\.28\.0$/,
  'older-counter': /^server: update\.counter_below_highest; bootloader: boot\.counter_too_low; still runs: 7\.28\.0$/,
  'revoked-live':
    /^before: CONNACK success, HTTP 404; MQTT: DISCONNECT 0x98; both cut after: \d+ ms; next connection: CONNACK notAuthorized$/,
  'revoked-resumed':
    /^MQTT TLSv1\.2: served before, resumed, CONNACK notAuthorized; MQTT TLSv1\.3: served before, resumed, CONNACK notAuthorized; HTTPS TLSv1\.2: served before, resumed, (HTTP 403|no answer.*); HTTPS TLSv1\.3: served before, resumed, (HTTP 403|no answer.*)$/,
  'copied-key':
    /after two take-overs: active; after the third: quarantined; reason: .*127\.0\.0\.[12]:\d+ and 127\.0\.0\.[12]:\d+; both again: CONNACK notAuthorized, CONNACK notAuthorized$/,
  'changed-job':
    /^server: failed, update\.manifest_refused; device, shown the document: below-threshold; installed: nothing; runs: 7\.28\.0$/,
  'changed-log': /^before: intact, \d+ entries; entry (\d+) changed: broken at \1; put back: intact, \d+ entries$/,
  canaries:
    /^secrets: (9|[1-9]\d+); in \d+ files, [1-9]\d* KiB: none; on the wire, [1-9]\d* KiB: none; a device name in the files: found; the host name on the wire: found$/,
  'claim-reuse':
    /^in the field, AWS: refused .+; in the field, EST: refused 403; in the field afterwards: active with 1 active of 1; revoked, AWS: refused .+; revoked, EST: refused 403; revoked afterwards: revoked with 0 active of 1; a new serial: enrolled$/,
  'forged-evidence':
    /^its SUCCEEDED: taken; (.+?: posture\.evidence_forged; ){5}update meanwhile: IN_PROGRESS, awaiting proof; honest evidence: proven; update then: rolled-back; known to run: 7\.27\.0$/,
};

describe('holdfast demo --json', () => {
  let ended: Ended;
  let report: DemoReport;
  beforeAll(async () => {
    ended = await demo(['--json']);
    report = JSON.parse(ended.out) as DemoReport;
  });

  it('says that everything held, in one document and nothing else', () => {
    const notHeld = [...report.story, ...report.attacks].filter(({ held }) => !held);
    expect(notHeld).toEqual([]);
    expect(report).toMatchObject({ held: true, firmware: { older: '7.27.0', newer: '7.28.0' } });
    expect(ended).toMatchObject({ code: 0, err: '' });
  });

  it('plays every step and every attack of the tables, each with its expectation and its time', () => {
    const nameOf = ({ name }: { readonly name: string }) => name;
    expect(report.story.map(nameOf)).toEqual(['server', ...STORY.map(nameOf)]);
    expect(report.attacks.map(nameOf)).toEqual(ATTACKS.map(nameOf));
    expect(Object.keys(STORY_SEEN)).toEqual(report.story.map(nameOf));
    expect(Object.keys(ATTACKS_SEEN)).toEqual(report.attacks.map(nameOf));
    const outcomes = [...report.story, ...report.attacks];
    expect(outcomes.every(({ expected, ms }) => expected !== '' && Number.isInteger(ms))).toBe(true);
  });

  it.each(Object.entries(STORY_SEEN))('sees the step %s happen', (name, seen) => {
    expect(report.story.find((step) => step.name === name)?.seen).toMatch(seen);
  });

  it.each(Object.entries(ATTACKS_SEEN))('sees the attack %s fail', (name, seen) => {
    expect(report.attacks.find((attack) => attack.name === name)?.seen).toMatch(seen);
  });

  it('leaves no file behind', () => {
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe('holdfast demo', () => {
  it('prints plain lines without a terminal, keeps the folder it was given, and serves on with --keep', async () => {
    const data = path.join(temporary, 'kept');
    const isServing = (text: string): boolean => text.includes('Ctrl-C stops');
    const { code, out, err } = await demo(['--keep', '--data', data], (text, stop) => {
      if (isServing(text)) stop();
    });
    expect(code).toBe(0);
    expect(out).not.toContain('\u001b');
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(STORY.length + ATTACKS.length + 2);
    expect(lines.every((line) => line.startsWith('ok\t'))).toBe(true);
    // Nobody is at a terminal: the way in is not printed.
    expect(err).not.toMatch(/https:.*#/);
    expect(existsSync(path.join(data, 'holdfast.db'))).toBe(true);
  });

  it('stops at a signal in the middle, with nothing left running and no folder left', async () => {
    const before = readdirSync(temporary);
    const { code } = await demo([], (text, stop) => {
      if (text.includes('\tfactory\t')) stop();
    });
    expect(code).toBe(130);
    expect(readdirSync(temporary)).toEqual(before);
  });

  it('says why its server does not start', async () => {
    const data = path.join(temporary, 'spoilt');
    writeFileSync(`${data}.root-key`, 'no key', { mode: 0o600 });
    const { code, err } = await demo(['--data', data]);
    expect(code).toBe(69);
    expect(err).toMatch(/reason .*storage\.\w+.*\[cli\.server_not_started\]/s);
  });

  it('does not play in a folder that holds something', async () => {
    const data = path.join(temporary, 'full');
    mkdirSync(data);
    writeFileSync(path.join(data, 'mine'), 'x');
    const { code, err } = await demo(['--data', data]);
    expect(code).toBe(65);
    expect(err).toContain('[cli.folder_not_empty]');
    expect(readdirSync(data)).toEqual(['mine']);
  });
});
