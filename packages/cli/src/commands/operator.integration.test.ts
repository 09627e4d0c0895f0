import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestSystem } from '../../../server/src/system/testing/system.ts';

const HOLDFAST = fileURLToPath(new URL('../../../../scripts/holdfast.js', import.meta.url));
const run = promisify(execFile);

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start();
});
afterAll(() => system.close());

const file = (name: string) => path.join(system.folder, name);

interface Outcome {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

function holdfast(environment: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, HOLDFAST_DATA: file('nowhere'), ...environment };
  return run(process.execPath, [HOLDFAST, ...args], { env }).then(
    ({ stdout, stderr }) => ({ exit: 0, out: stdout, err: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      exit: error.code,
      out: error.stdout,
      err: error.stderr,
    }),
  );
}

describe('the command line from elsewhere', () => {
  it('works by a profile and by options, as far as the role goes and until the operator is revoked', async () => {
    const url = `https://localhost:${system.port('management')}`;
    const local = { HOLDFAST_DATA: system.data };
    const made = await holdfast(local, 'identity', 'operator', 'create', 'alice', '--out', file('alice'), '--url', url);
    expect(made).toMatchObject({ exit: 0 });
    expect(statSync(file('alice.key')).mode & 0o777).toBe(0o600);
    expect(made.out + made.err).not.toContain('PRIVATE KEY');

    const profile = { HOLDFAST_PROFILE: file('alice.json') };
    const status = await holdfast(profile, 'status', '--json');
    expect(JSON.parse(status.out)).toMatchObject({ tenant: 'default' });
    const options = ['--cert', file('alice.crt'), '--key', file('alice.key'), '--ca', file('alice.ca.crt')];
    const listed = await holdfast({}, 'identity', 'operator', 'list', '--server', url, ...options);
    expect(listed.out.split('\t').slice(0, 3)).toEqual(['alice', 'operator', 'active']);

    const product = ['product', 'create', 'lamp', '--hardware-revisions', 'rev-a'];
    const forbidden = await holdfast(profile, ...product);
    expect([forbidden.exit, forbidden.err]).toEqual([77, expect.stringContaining('request.forbidden')]);

    await holdfast(local, 'identity', 'operator', 'revoke', 'alice');
    const refused = await holdfast(profile, 'status');
    expect([refused.exit, refused.err]).toEqual([77, expect.stringContaining('request.unauthenticated')]);
  });

  it('trusts the roots of the profile alone, and says what is missing', async () => {
    const url = `https://localhost:${system.port('management')}`;
    const own = ['--cert', file('alice.crt'), '--key', file('alice.key')];
    const foreign = await holdfast({}, 'status', '--server', url, ...own, '--ca', file('alice.crt'));
    expect([foreign.exit, foreign.err]).toEqual([69, expect.stringContaining('server.unreachable')]);
    for (const options of [own, ['--server', url.replace('https', 'http'), ...own, '--ca', file('alice.ca.crt')]]) {
      expect((await holdfast({}, 'status', ...options)).err).toContain('cli.bad_profile');
    }
    expect(readFileSync(file('alice.json'), 'utf8')).toContain('"key": "alice.key"');
  });
});
