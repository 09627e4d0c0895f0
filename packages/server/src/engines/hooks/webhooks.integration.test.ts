import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { hmac } from '@holdfast/crypto';
import { type Clock, encodeBase64, encodeUtf8, ManualClock, systemClock, systemRandom } from '@holdfast/kernel';
import type { HookQuestion, ProvisioningWebhook } from '@holdfast/trust/ports';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestAuthority } from '../../testing/test-authority.ts';
import { HOOK_LIMIT_MS, Webhooks } from './webhooks.ts';

const SECRET = new Uint8Array(32).fill(9);
const QUESTION: HookQuestion = {
  claimCertificateId: 'aa',
  certificateId: 'bb',
  certificatePem: 'pem',
  templateArn: 'arn:aws:iot:local:000000000000:provisioningtemplate/halls',
  clientId: 'line-1',
  parameters: { SerialNumber: 'S1' },
};

interface Asked {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const authority = new TestAuthority('Hook CA');
let server: Server;
let asked: Asked[];
let respond: (response: ServerResponse) => void;
let webhook: ProvisioningWebhook;

beforeAll(async () => {
  const { pem, keyPem } = authority.issue({ profile: 'server', name: 'localhost' });
  server = createServer({ key: keyPem, cert: pem }, (request, response) => {
    void (async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk);
      asked.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      respond(response);
    })();
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  webhook = { url: `https://localhost:${port}/allow`, caPem: authority.root.pem };
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  asked = [];
  respond = say(200, { allowProvisioning: true });
});

const say =
  (status: number, answer: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, headers).end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  };

const hooks = (clock: Clock = systemClock, secret: Uint8Array | undefined = SECRET) =>
  new Webhooks({ clock, random: systemRandom, secretOf: async () => secret });

const ask = (of = webhook, by = hooks()) => by.ask({ tenant: 'default', template: 'halls', webhook: of }, QUESTION);

describe('a webhook', () => {
  it('is asked with a signature that its secret verifies, as Standard Webhooks has it', async () => {
    expect(await ask()).toEqual({ kind: 'allowed', overrides: {} });
    const [{ headers, body }] = asked as [Asked];
    expect(JSON.parse(body)).toEqual(QUESTION);
    expect(headers['content-type']).toBe('application/json');
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
    const expected = encodeBase64(hmac('sha256', SECRET, encodeUtf8(signed)));
    expect(headers['webhook-signature']).toBe(`v1,${expected}`);
    expect(Math.abs(Number(headers['webhook-timestamp']) - systemClock.now() / 1000)).toBeLessThan(600);
  });

  it.each<[string, unknown, object]>([
    ['true', { allowProvisioning: true, parameterOverrides: { A: 'b' } }, { kind: 'allowed', overrides: { A: 'b' } }],
    ['"true", as AWS writes it', { allowProvisioning: 'true' }, { kind: 'allowed', overrides: {} }],
    ['false', { allowProvisioning: false }, { kind: 'denied' }],
    ['1', { allowProvisioning: 1 }, { kind: 'denied' }],
    ['nothing', {}, { kind: 'denied' }],
    ['no object', [true], { kind: 'failed', reason: 'not-json' }],
    ['no JSON', 'yes', { kind: 'failed', reason: 'not-json' }],
    [
      'a doubled member',
      '{"allowProvisioning":false,"allowProvisioning":true}',
      { kind: 'failed', reason: 'not-json' },
    ],
    [
      'an override that is no text',
      { allowProvisioning: true, parameterOverrides: { A: 1 } },
      { kind: 'failed', reason: 'overrides' },
    ],
    ['more than it may', `"${'x'.repeat(70_000)}"`, { kind: 'failed', reason: 'too-large' }],
  ])('that answers %s', async (_what, answer, outcome) => {
    respond = say(200, answer);
    expect(await ask()).toEqual(outcome);
  });

  it.each([301, 302, 307, 204, 401, 500])('that answers %i says no, and leads nowhere else', async (status) => {
    respond = say(status, { allowProvisioning: true }, { location: webhook.url });
    expect(await ask()).toEqual({ kind: 'failed', reason: `status-${status}` });
    expect(asked).toHaveLength(1);
  });

  it('is not believed when its certificate is not', async () => {
    const strange = new TestAuthority('Another CA');
    expect(await ask({ url: webhook.url })).toMatchObject({ kind: 'failed' });
    expect(await ask({ ...webhook, caPem: strange.root.pem })).toMatchObject({ kind: 'failed' });
    expect(await ask({ ...webhook, url: webhook.url.replace('localhost', '127.0.0.1') })).toMatchObject({
      kind: 'failed',
    });
    expect(asked).toEqual([]);
  });

  it.each(['169.254.169.254', '[fe80::1]', '[::ffff:169.254.169.254]', '[fd00:ec2::254]'])(
    'at %s, where clouds keep credentials, is not asked',
    async (host) => {
      expect(await ask({ ...webhook, url: `https://${host}/latest/meta-data` })).toEqual({
        kind: 'failed',
        reason: 'address',
      });
    },
  );

  it('that is not there, or of which we have no secret, says no', async () => {
    expect(await ask({ ...webhook, url: 'https://localhost:1/' })).toMatchObject({ kind: 'failed' });
    const secretOf = async () => undefined;
    const nameless = new Webhooks({ clock: systemClock, random: systemRandom, secretOf });
    expect(await ask(webhook, nameless)).toEqual({ kind: 'failed', reason: 'no-secret' });
  });

  it('has five seconds, and no more than sixteen are under way', async () => {
    const open: ServerResponse[] = [];
    respond = (response) => void open.push(response);
    const clock = new ManualClock(systemClock.now());
    const slow = hooks(clock);
    const answers = Array.from({ length: 100 }, () => ask(webhook, slow));
    await expect.poll(() => open.length, { timeout: 20_000 }).toBe(16);
    // Sixteen are asked and sixty-four wait; the rest need not.
    const busy = await Promise.all(answers.slice(80));
    expect(busy).toEqual(Array.from({ length: 20 }, () => ({ kind: 'failed', reason: 'busy' })));
    say(200, { allowProvisioning: true })(open[0] as ServerResponse);
    await expect.poll(() => open.length, { timeout: 20_000 }).toBe(17);
    clock.advance(HOOK_LIMIT_MS);
    const kinds = (await Promise.all(answers)).map((answer) =>
      answer.kind === 'failed' ? answer.reason : answer.kind,
    );
    expect(kinds.filter((kind) => kind === 'allowed')).toHaveLength(1);
    expect(new Set(kinds)).toEqual(new Set(['allowed', 'timeout', 'busy']));
    for (const response of open) response.destroy();
  });
});
