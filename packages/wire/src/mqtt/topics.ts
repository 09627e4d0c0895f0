import { isName } from './text.ts';

/** A SUBSCRIBE or UNSUBSCRIBE filter taken apart. */
export type TopicFilter =
  /** `share` is the ShareName of `$share/{ShareName}/{filter}`, absent for an ordinary filter. */
  | { readonly kind: 'filter'; readonly filter: string; readonly share: string | undefined }
  | { readonly kind: 'invalid'; readonly reason: 'empty' | 'wildcard' | 'character' }
  /** `$share` without a name or filter, or with `+` for a name [MQTT-4.8.2-1, 2]. */
  | { readonly kind: 'invalid-share' };

const SHARE = '$share';

/** Whether text may be the topic of a message: not empty and without wildcards [MQTT-4.7.1-1, MQTT-4.7.3-1]. */
export function isTopicName(topic: string): boolean {
  return topic.length > 0 && !topic.includes('+') && !topic.includes('#') && isName(topic);
}

/**
 * Takes a filter apart and judges its grammar.
 *
 * @see MQTT 5, 4.7.1 (wildcards) and 4.8.2 (shared subscriptions)
 */
export function parseTopicFilter(text: string): TopicFilter {
  if (text.length === 0) return { kind: 'invalid', reason: 'empty' };
  if (!isName(text)) return { kind: 'invalid', reason: 'character' };
  if (!hasLegalWildcards(text)) return { kind: 'invalid', reason: 'wildcard' };
  if (text !== SHARE && !text.startsWith(`${SHARE}/`)) return { kind: 'filter', filter: text, share: undefined };

  const nameEnd = text.indexOf('/', SHARE.length + 1);
  if (nameEnd < 0) return { kind: 'invalid-share' };
  const share = text.slice(SHARE.length + 1, nameEnd);
  const filter = text.slice(nameEnd + 1);
  if (share.length === 0 || filter.length === 0 || /[+#]/.test(share)) return { kind: 'invalid-share' };
  return { kind: 'filter', filter, share };
}

/** `#` only as the whole last level, `+` only as a whole level [MQTT-4.7.1-1, MQTT-4.7.1-2]. */
function hasLegalWildcards(filter: string): boolean {
  if (!filter.includes('#') && !filter.includes('+')) return true;
  const levels = filter.split('/');
  return levels.every((level, index) => {
    if (level === '+' || (level === '#' && index === levels.length - 1)) return true;
    return !level.includes('+') && !level.includes('#');
  });
}

export interface MatchRules {
  /** Whether `a/#` matches `a`: true by the standard (4.7.1.2), false at AWS. */
  readonly hashMatchesParent: boolean;
}

export const STANDARD_MATCH: MatchRules = { hashMatchesParent: true };

/**
 * Whether an ordinary filter matches a topic name. Wildcards at the first level do not match topics that begin with
 * `$` [MQTT-4.7.2-1].
 */
export function topicMatches(filter: string, topic: string, rules: MatchRules = STANDARD_MATCH): boolean {
  if (topic.startsWith('$') && (filter.startsWith('+') || filter.startsWith('#'))) return false;
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return index < levels.length || rules.hashMatchesParent;
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
