import { describe, expect, it } from 'vitest';
import { dnsNameMatches, ipAddressText, isMailbox, isPresentedDnsName, parseIpAddress } from '../index.ts';

describe('host names', () => {
  it.each([
    ['example.com', 'EXAMPLE.com', true],
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'a.b.example.com', false],
    ['*.example.com', 'example.com', false],
    ['a*.example.com', 'ab.example.com', false],
    ['*', 'localhost', false],
    ['example.com.', 'example.com', false],
    ['exa_mple.com', 'exa_mple.com', false],
    ['example.com\0.evil.test', 'example.com', false],
  ])('%j stands for %j: %s', (presented, host, expected) => {
    expect(dnsNameMatches(presented, host)).toBe(expected);
  });

  it.each(['', '.', 'a..b', '-a.b', 'a-.b', `${'a'.repeat(64)}.b`, '*.*.b', 'a.*.b', 'ü.b'])(
    '%j is no DNS name',
    (text) => {
      expect(isPresentedDnsName(text)).toBe(false);
    },
  );

  it.each(['a@b@c', '@b', 'a@', 'a b@c', 'a@.c'])('%j is no mailbox', (text) => {
    expect(isMailbox(text)).toBe(false);
  });
});

describe('addresses', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['fe80::', 'fe80::'],
  ])('%s is written %s', (text, canonical) => {
    expect(ipAddressText(parseIpAddress(text) ?? new Uint8Array(0))).toBe(canonical);
  });

  it.each([
    '1.2.3',
    '01.2.3.4',
    '256.1.1.1',
    '1.2.3.4.5',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    'g::',
    '12345::',
    'localhost',
  ])('%j is none', (text) => {
    expect(parseIpAddress(text)).toBeUndefined();
  });
});
