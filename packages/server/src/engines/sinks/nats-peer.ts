import type { ConnectionOptions, MsgHdrs, NatsConnection, RequestError } from '@nats-io/transport-node';
import { type Clock, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { readNatsServers } from './nats-servers.ts';
import { natsSubject, subjectMatches } from './nats-subject.ts';
import type { OutgoingMessage, SinkPeer, SinkVerdict } from './sink-peer.ts';

export interface NatsOptions {
  /** `host:port`, or `tls://host:port`, which a server without TLS is not told anything by. */
  readonly servers: readonly string[];
  /** First tokens of every subject. */
  readonly prefix: string;
  readonly token: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Contents of a credentials file (JWT and seed). */
  readonly credentials: string | undefined;
  /** PEM of the roots the server is verified by; given, the connection must be TLS. */
  readonly caPem: string | undefined;
  /** `required` refuses to publish what no stream keeps; `auto` publishes it to whoever listens. */
  readonly jetStream: 'auto' | 'required';
  readonly clock: Clock;
}

interface Streams {
  readonly subjects: readonly string[];
  readonly readAt: number;
}

const TIMEOUT_MS = 5000;
/** Streams come and go seldom. */
const STREAMS_FOR_MS = 15_000;

/**
 * Publishes to NATS subjects. A message whose subject a JetStream stream keeps counts when the stream has acknowledged
 * it, and once however often it comes (`Nats-Msg-Id`); any other when the server has read it.
 *
 * @see https://docs.nats.io/reference/reference-protocols/nats_api_reference
 */
export class NatsPeer implements SinkPeer {
  readonly maxMessages = 256;
  readonly #options: NatsOptions;
  #connection: NatsConnection | undefined;
  #streams: Streams | undefined;

  constructor(options: NatsOptions) {
    this.#options = options;
  }

  async send(batch: readonly OutgoingMessage[]): Promise<SinkVerdict> {
    try {
      const nats = await import('@nats-io/transport-node');
      const connection = await this.#connect(nats.connect, nats.credsAuthenticator);
      const { subjects } = await this.#kept(connection);
      const publish = (message: OutgoingMessage) =>
        this.#publish(connection, message, { subjects, headers: nats.headers() });
      const results = await Promise.all(byDevice(batch).map((ofDevice) => firstFailure(ofDevice, publish)));
      await withDeadline(connection.flush(), this.#options.clock);
      const failed = results.find((result) => result !== undefined);
      return failed === undefined ? { kind: 'taken' } : { kind: 'later', reason: failed };
    } catch (error) {
      await this.close();
      return { kind: 'later', reason: reasonOf(error) };
    }
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#streams = undefined;
    await connection?.close().catch(() => undefined);
  }

  /** @returns why it did not arrive */
  async #publish(
    connection: NatsConnection,
    { id, json, topic }: OutgoingMessage,
    { headers, subjects }: { readonly subjects: readonly string[]; readonly headers: MsgHdrs },
  ): Promise<string | undefined> {
    const subject = natsSubject(this.#options.prefix, topic);
    headers.set('Nats-Msg-Id', id);
    const payload = encodeUtf8(json);
    if (!subjects.some((pattern) => subjectMatches(pattern, subject))) {
      if (this.#options.jetStream === 'required') return 'no stream keeps the subject';
      connection.publish(subject, payload, { headers });
      return undefined;
    }
    const answer = await connection.request(subject, payload, { headers, timeout: TIMEOUT_MS });
    const { error } = answer.json<{ readonly error?: { readonly code?: number } }>();
    return error === undefined ? undefined : `JetStream ${error.code ?? 'error'}`;
  }

  async #connect(
    connect: (options: ConnectionOptions) => Promise<NatsConnection>,
    credsAuthenticator: (creds: Uint8Array) => NonNullable<ConnectionOptions['authenticator']>,
  ): Promise<NatsConnection> {
    if (this.#connection !== undefined && !this.#connection.isClosed()) return this.#connection;
    const { caPem, credentials, password, token, user } = this.#options;
    const servers = readNatsServers(this.#options.servers);
    if (servers === undefined) throw new HoldfastError('server.bad_config', { field: 'sinks', reason: 'servers' });
    this.#connection = await connect({
      servers: [...servers.addresses],
      name: 'holdfast',
      timeout: TIMEOUT_MS,
      // The delivery has its own patience; a client that reconnects by itself would hide what was not sent.
      reconnect: false,
      // The library itself takes no notice of the scheme: without this the server's word decides.
      ...(servers.tls || caPem !== undefined ? { tls: caPem === undefined ? {} : { ca: caPem } } : {}),
      ...(token === undefined ? {} : { token }),
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { pass: password }),
      ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(encodeUtf8(credentials)) }),
    });
    this.#streams = undefined;
    return this.#connection;
  }

  async #kept(connection: NatsConnection): Promise<Streams> {
    const now = this.#options.clock.monotonicMs();
    if (this.#streams !== undefined && now - this.#streams.readAt < STREAMS_FOR_MS) return this.#streams;
    this.#streams = { subjects: await keptSubjects(connection), readAt: now };
    return this.#streams;
  }
}

/** What one device said stays in order, whatever happens to one of its messages; devices do not wait for each other. */
function byDevice(batch: readonly OutgoingMessage[]): readonly (readonly OutgoingMessage[])[] {
  const groups = new Map<string | undefined, OutgoingMessage[]>();
  for (const message of batch) {
    const group = groups.get(message.deviceId) ?? [];
    group.push(message);
    groups.set(message.deviceId, group);
  }
  return [...groups.values()];
}

async function firstFailure(
  messages: readonly OutgoingMessage[],
  publish: (message: OutgoingMessage) => Promise<string | undefined>,
): Promise<string | undefined> {
  for (const message of messages) {
    const failed = await publish(message);
    if (failed !== undefined) return failed;
  }
  return undefined;
}

interface StreamPage {
  readonly total?: number;
  readonly streams?: readonly { readonly config?: { readonly subjects?: readonly string[] } }[] | null;
}

/** What the streams of this account keep; nothing where JetStream is off. */
async function keptSubjects(connection: NatsConnection): Promise<readonly string[]> {
  const subjects: string[] = [];
  for (let offset = 0; ; ) {
    let page: StreamPage;
    try {
      const request = encodeUtf8(JSON.stringify({ offset }));
      page = (await connection.request('$JS.API.STREAM.LIST', request, { timeout: TIMEOUT_MS })).json<StreamPage>();
    } catch (error) {
      if (isNoResponder(error)) return [];
      throw error;
    }
    const streams = page.streams ?? [];
    for (const { config } of streams) subjects.push(...(config?.subjects ?? []));
    offset += streams.length;
    if (streams.length === 0 || offset >= (page.total ?? 0)) return subjects;
  }
}

/** Nobody answers for JetStream: it is off. Asked of the error itself, so that the client need not be loaded here. */
function isNoResponder(error: unknown): boolean {
  return error instanceof Error && 'isNoResponders' in error && (error as RequestError).isNoResponders();
}

async function withDeadline(flushed: Promise<void>, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = clock.after(TIMEOUT_MS, () => late.reject(new Error('too slow')));
  try {
    await Promise.race([flushed, late.promise]);
  } finally {
    timer.cancel();
  }
}

/** The library's name of the error; its words may hold an address with a password. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? `NATS ${error.name}` : 'NATS error';
}
