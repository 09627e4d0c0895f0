import { parseStrictJson } from '@holdfast/kernel';
import { parseTopicFilter } from '@holdfast/wire/mqtt';
import { z } from 'zod';
import { readNatsServers } from './nats-servers.ts';

const Filter = z
  .string()
  .max(256)
  .refine((text) => {
    const parsed = parseTopicFilter(text);
    return parsed.kind === 'filter' && parsed.share === undefined;
  });

/** Leads to a secret; what it leads to is never shown. */
const Reference = z.string().regex(/^(file|env):.+$/);

const SHARED = {
  /** Names it in commands; also its place in the spool, so that a renamed sink is a new one. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  /** MQTT topic filters; the sink gets what any of them matches. */
  filters: z.array(Filter).min(1).max(64),
  /** When the spool is full: hold QoS 1 publishers back, or remove the oldest messages this sink has not taken. */
  onFull: z.enum(['wait', 'drop']).default('wait'),
  /** How long a peer may be away before its messages become dead letters. */
  giveUpHours: z.number().min(0.001).max(8760).default(72),
};

const JsonlSink = z.strictObject({
  ...SHARED,
  kind: z.literal('jsonl'),
  path: z.string().min(1),
  rotateMib: z.number().min(0.001).max(65_536).default(64),
  keepFiles: z.number().int().min(0).max(1000).default(8),
});

const WebhookSink = z.strictObject({
  ...SHARED,
  kind: z.literal('webhook'),
  url: z.url({ protocol: /^https?$/ }).refine((text) => {
    const { hostname, password, protocol, username } = new URL(text);
    const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
    return username === '' && password === '' && (protocol === 'https:' || isLocal);
  }),
  /** Each to `whsec_…`; two while one is replaced by the other. */
  secrets: z.array(Reference).min(1).max(3),
  /** Allows addresses of this machine and its networks. */
  privateNetwork: z.boolean().default(false),
  /** PEM of the roots the receiver is verified by. */
  caFile: z.string().optional(),
  maxMessages: z.number().int().min(1).max(1000).default(100),
  timeoutSeconds: z.number().min(0.1).max(120).default(15),
});

const NatsSink = z
  .strictObject({
    ...SHARED,
    kind: z.literal('nats'),
    servers: z
      .array(z.string().min(1))
      .min(1)
      .max(16)
      .refine((servers) => readNatsServers(servers) !== undefined),
    /** Whether what devices say, and the secrets below, may cross a network in clear. */
    plaintext: z.boolean().default(false),
    /** First tokens of every subject. */
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/)
      .default('holdfast'),
    token: Reference.optional(),
    user: z.string().optional(),
    password: Reference.optional(),
    credentials: Reference.optional(),
    caFile: z.string().optional(),
    jetStream: z.enum(['auto', 'required']).default('auto'),
  })
  .refine(({ caFile, plaintext, servers }) => {
    const read = readNatsServers(servers);
    if (read === undefined) return true;
    const isTls = read.tls || caFile !== undefined;
    return isTls ? read.isNamed : plaintext || read.isLocal;
  });

const SinkSetting = z.discriminatedUnion('kind', [JsonlSink, WebhookSink, NatsSink]);
export type SinkSetting = z.output<typeof SinkSetting>;

/** A list, or its JSON text where only text can be given. */
export const SinkSettings: z.ZodType<readonly SinkSetting[]> = z
  .union([z.array(z.unknown()), z.string().transform(parseJson)])
  .pipe(z.array(SinkSetting).max(32))
  .refine((sinks) => new Set(sinks.map(({ name }) => name)).size === sinks.length);

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return parseStrictJson(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'not JSON' });
    return z.NEVER;
  }
}
