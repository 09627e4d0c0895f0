import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hmac } from '@holdfast/crypto';
import { encodeBase64, encodeUtf8, systemClock } from '@holdfast/kernel';
import { encodeProperties } from '@holdfast/wire/mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JsonlPeer } from './jsonl-peer.ts';
import { natsSubject, subjectMatches } from './nats-subject.ts';
import { openPeer } from './open-peer.ts';
import { outgoingMessage } from './outgoing-message.ts';
import { reachOf } from '../webhook/private-address.ts';
import { type SinkSetting, SinkSettings } from './sink-settings.ts';
import { WebhookPeer } from './webhook-peer.ts';

let folder: string;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-peers-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

const NONE = new Uint8Array(0);
const ORIGIN = { spool: '00112233445566aa', tenant: 'default' };
const spooled = (offset: number, payload: Uint8Array = encodeUtf8('{"a": 1}'), properties: Uint8Array = NONE) =>
  ({
    offset,
    topic: `devices/lamp/${offset}`,
    deviceId: 'lamp',
    qos: 1,
    retain: false,
    at: 0,
    payload,
    properties,
  }) as const;
const outgoing = (offset: number) => outgoingMessage(spooled(offset), ORIGIN);
const never = new AbortController().signal;

describe('a message for others', () => {
  const worded = (payload: Uint8Array, properties: Uint8Array = NONE) => {
    const { json } = outgoingMessage(spooled(7, payload, properties), ORIGIN);
    expect(json).not.toMatch(/[\r\n]/);
    return { json, value: JSON.parse(json) as Record<string, unknown> };
  };

  it('has an identity, its device, topic, time and payload', () => {
    const { value } = worded(encodeUtf8('{"a": [1,\n "x y"]}'));
    expect(value).toEqual({
      id: '00112233445566aa-0000000000000007',
      tenant: 'default',
      device: 'lamp',
      topic: 'devices/lamp/7',
      time: '1970-01-01T00:00:00.000Z',
      qos: 1,
      encoding: 'json',
      payload: { a: [1, 'x y'] },
    });
  });

  it('keeps every digit of JSON, and says what other payloads are', () => {
    expect(worded(encodeUtf8('{"n":12345678901234567890}')).json).toContain('12345678901234567890');
    expect(worded(encodeUtf8('on\n'))).toMatchObject({ value: { encoding: 'utf8', payload: 'on\n' } });
    expect(worded(NONE).value).toMatchObject({ encoding: 'utf8', payload: '' });
    expect(worded(Uint8Array.of(0xff, 0)).value).toMatchObject({ encoding: 'base64', payload: '/wA=' });
  });

  it('carries user properties and content type, and nothing where they cannot be read', () => {
    const properties = encodeProperties({
      contentType: 'application/json',
      userProperties: [['a', 'b']],
    });
    expect(worded(NONE, properties).value).toMatchObject({
      contentType: 'application/json',
      userProperties: [['a', 'b']],
    });
    expect(worded(NONE, Uint8Array.of(0xff)).value).not.toHaveProperty('userProperties');
  });
});

describe('a JSON lines sink', () => {
  it('appends lines, cuts off what a crash left half, and puts full files aside', async () => {
    const file = path.join(folder, 'out.jsonl');
    const options = { path: file, rotateBytes: 300, keepFiles: 1 };
    const first = new JsonlPeer(options);
    expect(await first.send([outgoing(0)])).toEqual({ kind: 'taken' });
    await first.close();
    appendFileSync(file, '{"id":"half');
    const second = new JsonlPeer(options);
    for (let offset = 1; offset < 5; offset++) await second.send([outgoing(offset)]);
    await second.close();
    const lines = (name: string) => readFileSync(name, 'utf8').trimEnd().split('\n');
    expect(lines(`${file}.1`)).toEqual([outgoing(2), outgoing(3)].map(({ json }) => json));
    expect(lines(file)).toEqual([outgoing(4).json]);
    expect(existsSync(`${file}.2`)).toBe(false);
  });

  it('asks to be tried again where it cannot write', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    const peer = new JsonlPeer({ path: path.join(folder, 'file', 'out'), rotateBytes: 1000, keepFiles: 1 });
    expect(await peer.send([outgoing(0)])).toEqual({ kind: 'later', reason: 'store.unavailable' });
  });
});

describe('a webhook sink', () => {
  const SECRET = new Uint8Array(32).fill(7);
  const OTHER = new Uint8Array(24).fill(8);
  interface Got {
    readonly headers: IncomingHttpHeaders;
    readonly body: string;
  }

  async function receiver(answer: { status: number; headers?: Record<string, string> }) {
    const got: Got[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        got.push({ headers: request.headers, body });
        response.writeHead(answer.status, answer.headers).end('ok');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { got, url: `http://localhost:${(server.address() as AddressInfo).port}/in` };
  }

  function peerTo(url: string, change: Partial<ConstructorParameters<typeof WebhookPeer>[0]> = {}): WebhookPeer {
    const peer = new WebhookPeer({
      url,
      secrets: [SECRET, OTHER],
      privateNetwork: true,
      caPem: undefined,
      maxMessages: 10,
      timeoutMs: 10_000,
      clock: systemClock,
      ...change,
    });
    closing.push(() => peer.close());
    return peer;
  }

  it('posts a batch that every secret in force verifies, under the same id when it is repeated', async () => {
    const { got, url } = await receiver({ status: 204 });
    const peer = peerTo(url);
    for (let time = 0; time < 2; time++) {
      expect(await peer.send([outgoing(3), outgoing(4)], never)).toEqual({ kind: 'taken' });
    }
    const [first, second] = got as [Got, Got];
    const id = String(first.headers['webhook-id']);
    expect([id, second.headers['webhook-id']]).toEqual([`${outgoing(3).id}-2`, id]);
    const signed = encodeUtf8(`${id}.${String(first.headers['webhook-timestamp'])}.${first.body}`);
    const expected = [SECRET, OTHER].map((secret) => `v1,${encodeBase64(hmac('sha256', secret, signed))}`);
    expect(first.headers['webhook-signature']).toBe(expected.join(' '));
    expect(JSON.parse(first.body)).toMatchObject({
      messages: [{ topic: 'devices/lamp/3' }, { topic: 'devices/lamp/4' }],
    });
  });

  it.each([
    [{ status: 400 }, { kind: 'refused', reason: 'HTTP 400' }],
    [{ status: 410 }, { kind: 'refused', reason: 'HTTP 410' }],
    [{ status: 404 }, { kind: 'later', reason: 'HTTP 404' }],
    [{ status: 500 }, { kind: 'later', reason: 'HTTP 500' }],
    [
      { status: 302, headers: { location: 'http://169.254.169.254/' } },
      { kind: 'later', reason: 'HTTP 302' },
    ],
    [
      { status: 429, headers: { 'retry-after': '7' } },
      { kind: 'later', reason: 'HTTP 429', retryAfterMs: 7000 },
    ],
    [
      { status: 503, headers: { 'retry-after': 'soon' } },
      { kind: 'later', reason: 'HTTP 503' },
    ],
  ])('takes %j for what it is', async (answer, verdict) => {
    const { got, url } = await receiver(answer);
    expect(await peerTo(url).send([outgoing(0)], never)).toEqual(verdict);
    expect(got).toHaveLength(1);
  });

  it('reaches no address of this machine or its networks unless it is told to', async () => {
    const { got, url } = await receiver({ status: 200 });
    const verdict = { kind: 'later', reason: 'address not allowed' };
    for (const to of [url, url.replace('localhost', '127.0.0.1')]) {
      expect(await peerTo(to, { privateNetwork: false }).send([outgoing(0)], never)).toEqual(verdict);
    }
    expect(await peerTo('http://169.254.169.254/').send([outgoing(0)], never)).toEqual(verdict);
    expect(got).toEqual([]);
  });

  it('does not wait for a receiver that never answers, nor for one that is not there', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const peer = peerTo(`http://127.0.0.1:${port}/`, { timeoutMs: 50 });
    expect(await peer.send([outgoing(0)], never)).toMatchObject({ kind: 'later' });
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    expect(await peer.send([outgoing(0)], never)).toEqual({ kind: 'later', reason: 'ECONNREFUSED' });
  });
});

it.each([
  ['8.8.8.8', 'public'],
  ['2606:4700::1111', 'public'],
  ['127.0.0.1', 'private'],
  ['10.1.2.3', 'private'],
  ['172.31.0.1', 'private'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'private'],
  ['0.0.0.0', 'private'],
  ['::1', 'private'],
  ['::ffff:10.0.0.1', 'private'],
  ['fd12::1', 'private'],
  ['169.254.169.254', 'never'],
  ['::ffff:169.254.169.254', 'never'],
  ['fe80::1', 'never'],
  ['64:ff9b::a9fe:a9fe', 'never'],
  ['::127.0.0.1', 'private'],
  ['nonsense', 'never'],
])('%s is %s', (address, reach) => {
  expect(reachOf(address)).toBe(reach);
});

it.each([
  ['devices/lamp/t', 'p.devices.lamp.t'],
  ['a.b/c', 'p.a%2Eb.c'],
  ['a//b', 'p.a.%.b'],
  ['a/*/>', 'p.a.%2A.%3E'],
  ['a b/ä/%', 'p.a%20b.%C3%A4.%25'],
  ['$aws/events/x', 'p.$aws.events.x'],
])('the subject of %s is %s', (topic, subject) => {
  expect(natsSubject('p', topic)).toBe(subject);
});

it.each([
  ['p.>', 'p.a.b', true],
  ['p.>', 'p', false],
  ['p.*.b', 'p.a.b', true],
  ['p.*', 'p.a.b', false],
  ['p.a', 'p.a', true],
])('%s takes %s: %s', (pattern, subject, matches) => {
  expect(subjectMatches(pattern, subject)).toBe(matches);
});

describe('the settings of sinks', () => {
  const webhook = {
    kind: 'webhook',
    name: 'w',
    filters: ['a/#'],
    url: 'https://example.com/in',
    secrets: ['env:SECRET'],
  };

  it('come as a list or as its JSON text', () => {
    const expected = [expect.objectContaining({ name: 'w', onFull: 'wait', maxMessages: 100 })];
    expect(SinkSettings.parse([webhook])).toEqual(expected);
    expect(SinkSettings.parse(JSON.stringify([webhook]))).toEqual(expected);
  });

  it.each([
    ['two of one name', [webhook, webhook]],
    ['an unknown member', [{ ...webhook, sekrets: [] }]],
    ['a secret in clear', [{ ...webhook, secrets: ['whsec_AAAA'] }]],
    ['plain HTTP to another machine', [{ ...webhook, url: 'http://example.com/' }]],
    ['a password in the address', [{ ...webhook, url: 'https://a:b@example.com/' }]],
    ['a filter that is none', [{ ...webhook, filters: ['a/#/b'] }]],
    ['a shared subscription', [{ ...webhook, filters: ['$share/g/a'] }]],
    ['no JSON', '{'],
  ])('refuse %s', (_, settings) => {
    expect(SinkSettings.safeParse(settings).success).toBe(false);
  });

  it('lead to secrets that are read at the start, and refused when they are none', () => {
    const open = (environment: Record<string, string>, change: object = {}) =>
      openPeer(SinkSettings.parse([{ ...webhook, ...change }])[0] as SinkSetting, { clock: systemClock, environment });
    const secret = `whsec_${encodeBase64(new Uint8Array(24))}`;
    writeFileSync(path.join(folder, 'secret'), `${secret}\n`);
    closing.push(() => open({ SECRET: secret }).close());
    closing.push(() => open({}, { secrets: [`file:${path.join(folder, 'secret')}`] }).close());
    const refused = expect.objectContaining({ code: 'server.bad_config' });
    expect(() => open({})).toThrowError(refused);
    expect(() => open({ SECRET: 'short' })).toThrowError(refused);
    expect(() => open({}, { secrets: ['file:/nowhere'] })).toThrowError(refused);
  });
});
