import { describe, expect, it } from 'vitest';
import { isTopicName, parseTopicFilter, topicMatches } from './index.ts';

const GOOD = [
  'a',
  '/',
  '//',
  '+',
  '#',
  '/#',
  '/+',
  '+/+',
  'a/#',
  'a/+/b',
  '+/a/#',
  'sport/tennis/player1/#',
  ' ',
  'a b',
  '$SYS/#',
  '$aws/things/+/jobs/#',
  '+/',
  'a/',
  'ä/ö',
  '$shared/x',
  '$sharex',
];
const BAD_WILDCARD = [
  'a#',
  '#a',
  'sport/#/x',
  '##',
  '#/',
  '#/a',
  'a+',
  '+a',
  'a/b+',
  'a/+b/c',
  '++',
  '+#',
  '#+',
  'a/#/',
  'a/##',
  'sport+',
  'sport/tennis#',
  'a/b#c',
  '/+a',
  'a/+/#b',
];
const BAD_SHARE = [
  '$share',
  '$share/',
  '$share//',
  '$share//a',
  '$share/g',
  '$share/g/',
  '$share/+/a',
  '$share/+',
  '$share/#',
];
/** No filters at all, whatever they share. */
const BAD_SHARE_WILDCARD = ['$share/#/a', '$share/g#/a', '$share/g+/a'];
const BAD_CHARACTER = ['a\0', '\u0001', 'a\u007f', 'a\u009f', 'a\uffff', 'a\ufdd0', '\ud800', 'a\n/b'];

describe('topic filters', () => {
  it.each(GOOD)('takes %j', (text) => {
    expect(parseTopicFilter(text)).toEqual({ kind: 'filter', filter: text, share: undefined });
  });
  it.each(BAD_WILDCARD)('refuses the wildcard in %j [MQTT-4.7.1-1] [MQTT-4.7.1-2]', (text) => {
    expect(parseTopicFilter(text)).toEqual({ kind: 'invalid', reason: 'wildcard' });
    expect(parseTopicFilter(`$share/g/${text}`)).toEqual({ kind: 'invalid', reason: 'wildcard' });
  });
  it.each(BAD_SHARE)('refuses the shared subscription %j [MQTT-4.8.2-1] [MQTT-4.8.2-2]', (text) => {
    expect(parseTopicFilter(text)).toEqual({ kind: 'invalid-share' });
  });
  it.each(BAD_SHARE_WILDCARD)('refuses the wildcard in the share name of %j [MQTT-4.8.2-2]', (text) => {
    expect(parseTopicFilter(text)).toEqual({ kind: 'invalid', reason: 'wildcard' });
  });
  it.each(BAD_CHARACTER)('refuses the character in %j [MQTT-1.5.4-1] [MQTT-1.5.4-2]', (text) => {
    expect(parseTopicFilter(text)).toEqual({ kind: 'invalid', reason: 'character' });
    expect(isTopicName(text)).toBe(false);
  });
  it('refuses the empty filter [MQTT-4.7.3-1]', () => {
    expect(parseTopicFilter('')).toEqual({ kind: 'invalid', reason: 'empty' });
  });
  it('takes a shared subscription apart', () => {
    expect(parseTopicFilter('$share/g/a/+/#')).toEqual({ kind: 'filter', share: 'g', filter: 'a/+/#' });
    expect(parseTopicFilter('$share/g//')).toEqual({ kind: 'filter', share: 'g', filter: '/' });
  });
});

describe('topic names', () => {
  it.each(['a', '/', ' ', 'a/b', '$SYS/x', 'a//b', '😀'])('takes %j', (text) => expect(isTopicName(text)).toBe(true));
  it.each(['', '+', '#', 'a/+', 'a/#', 'a#'])('refuses %j', (text) => expect(isTopicName(text)).toBe(false));
});

const MATCHES: readonly (readonly [filter: string, topic: string, matches: boolean])[] = [
  ['sport/tennis/player1/#', 'sport/tennis/player1', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
  ['sport/#', 'sport', true],
  ['#', 'a/b', true],
  ['sport/tennis/+', 'sport/tennis/player1', true],
  ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
  ['sport/+', 'sport', false],
  ['sport/+', 'sport/', true],
  ['+/+', '/finance', true],
  ['/+', '/finance', true],
  ['+', '/finance', false],
  ['#', '$SYS/a', false],
  ['+/monitor/Clients', '$SYS/monitor/Clients', false],
  ['$SYS/#', '$SYS/a', true],
  ['$SYS/monitor/+', '$SYS/monitor/Clients', true],
  ['ACCOUNTS', 'Accounts', false],
  ['/a', 'a', false],
  ['a/', 'a', false],
  ['a/+/#', 'a', false],
  ['a/+/#', 'a/b', true],
];

describe('topicMatches', () => {
  it.each(MATCHES)('judges %j against %j as the standard does (4.7): %s', (filter, topic, matches) => {
    expect(topicMatches(filter, topic)).toBe(matches);
  });
  it('keeps # from the parent level when told so', () => {
    expect(topicMatches('sport/#', 'sport', { hashMatchesParent: false })).toBe(false);
    expect(topicMatches('sport/#', 'sport/a', { hashMatchesParent: false })).toBe(true);
  });
});
