/** What a token cannot hold: separators, wildcards, white space, controls, and our own escape. */
const UNSAFE = /[.*>%\s\p{Cc}\u007f-\u{10ffff}]/gu;
const EMPTY = '%';

/**
 * The subject of a topic: one token a level. What NATS gives a meaning is written as `%` and two hex digits for each
 * octet, an empty level as a single `%`, so that no topic falls on the subject of another.
 */
export function natsSubject(prefix: string, topic: string): string {
  return `${prefix}.${topic.split('/').map(token).join('.')}`;
}

/** Whether a subject with `*` and `>` takes another one. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (const [at, token] of wanted.entries()) {
    if (token === '>') return at < tokens.length;
    if (at >= tokens.length || (token !== '*' && token !== tokens[at])) return false;
  }
  return wanted.length === tokens.length;
}

function token(level: string): string {
  if (level === '') return EMPTY;
  return level.replace(UNSAFE, (char) =>
    [...new TextEncoder().encode(char)]
      .map((octet) => `%${octet.toString(16).padStart(2, '0').toUpperCase()}`)
      .join(''),
  );
}
