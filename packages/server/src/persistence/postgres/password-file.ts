import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** What a line of the file is looked up by. */
export interface PasswordPlace {
  readonly host: string;
  readonly port: number;
  readonly database: string | undefined;
  readonly user: string | undefined;
}

const OTHERS = 0o077;
/** Where libpq looks for a server on a socket. */
const SOCKET_HOST = 'localhost';

/**
 * The password that `PGPASSFILE` or `~/.pgpass` holds for a place; a file that others can read is not read.
 *
 * @see PostgreSQL 15, 34.16 The Password File
 */
export function passwordOf(
  place: PasswordPlace,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const file = environment['PGPASSFILE'] ?? path.join(homedir(), '.pgpass');
  let text: string;
  try {
    if ((statSync(file).mode & OTHERS) !== 0) return undefined;
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const { port, database, user } = place;
  const host = place.host.startsWith('/') ? SOCKET_HOST : place.host;
  const wanted = [host, String(port), database ?? user, user];
  for (const line of text.split('\n')) {
    const [password, ...fields] = fieldsOf(line).toReversed();
    if (fields.length !== wanted.length || line.startsWith('#')) continue;
    if (fields.toReversed().every((field, at) => field === '*' || field === wanted[at])) return password;
  }
  return undefined;
}

/** Fields are parted by colons; a backslash before a colon or a backslash makes it one of the field. */
function fieldsOf(line: string): readonly string[] {
  return (line.match(/(?:^|:)((?:\\.|[^:\\])*)/g) ?? []).map((field, at) =>
    (at === 0 ? field : field.slice(1)).replace(/\\(.)/g, '$1'),
  );
}
