import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { passwordOf } from './password-file.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-pgpass-'));
const file = path.join(folder, 'pgpass');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const place = { host: 'db.example', port: 5432, database: 'fleet', user: 'holdfast' };

function look(text: string, mode = 0o600, where: Partial<typeof place> = {}): string | undefined {
  writeFileSync(file, text);
  chmodSync(file, mode);
  return passwordOf({ ...place, ...where }, { PGPASSFILE: file });
}

describe('the password file', () => {
  it.each([
    ['the line of the place', 'other:5432:fleet:holdfast:no\ndb.example:5432:fleet:holdfast:yes\n', 'yes'],
    ['a line for every place', '*:*:*:holdfast:yes', 'yes'],
    ['the first line that fits', 'db.example:*:*:*:first\n*:*:*:*:second', 'first'],
    ['a password with colons and backslashes', String.raw`*:*:*:*:a\:b\\c`, String.raw`a:b\c`],
    ['nothing for another port', 'db.example:5433:fleet:holdfast:no', undefined],
    ['nothing from a comment', '#*:*:*:*:no', undefined],
    ['nothing from a line that is no entry', 'db.example:5432:fleet\n\n', undefined],
  ])('gives %s', (_name, text, password) => {
    expect(look(text)).toBe(password);
  });

  it('names a socket localhost', () => {
    expect(look('localhost:5432:fleet:holdfast:yes', 0o600, { host: '/run/postgresql' })).toBe('yes');
  });

  it('that others can read is not believed', () => {
    expect(look('*:*:*:*:no', 0o640)).toBeUndefined();
  });

  it('need not be there', () => {
    expect(passwordOf(place, { PGPASSFILE: path.join(folder, 'nowhere') })).toBeUndefined();
  });
});
