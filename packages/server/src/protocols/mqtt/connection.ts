import { HoldfastError } from '@holdfast/kernel';
import {
  type ConnectPacket,
  decodeConnect,
  encodeConnack,
  encodeReasonPacket,
  faultReason,
  type FrameSink,
  FrameSplitter,
  type MqttVersion,
  PACKET_TYPE,
  protocolError,
  REASON,
  RETURN_CODE,
} from '@holdfast/wire/mqtt';
import { ActiveClient } from './active-client.ts';
import {
  assignClientId,
  connackProperties,
  encodeRefusal,
  type Refusal,
  refusalOfConnect,
  refusalOfPolicy,
  sessionExpiry,
  UNAVAILABLE,
} from './admission.ts';
import type { ConnectionControl } from './client.ts';
import { CONNECTION_LIFE, type ConnectionState } from './connection-life.ts';
import { EarlyInput } from './early-input.ts';
import { Outbox } from './outbox.ts';
import type { Peers } from './peers.ts';
import type { AdmitVerdict, ConnectionInfo, EndCause, MqttPrincipal, Transport, TransportEvents } from './ports.ts';
import { keepAliveInForce } from './profiles.ts';
import { Reading } from './reading.ts';
import type { Relief } from './relief.ts';
import type { Services } from './services.ts';
import { SilenceWatch } from './silence-watch.ts';

export interface ConnectionPorts {
  readonly id: string;
  readonly transport: Transport;
  readonly services: Services;
  /** Called once, when the connection has ended. */
  readonly onEnd: (connection: Connection) => void;
}

/** One transport from its first byte to its end: greeting, admission, packets, deadlines. */
export class Connection implements FrameSink, TransportEvents, ConnectionControl {
  readonly id: string;
  readonly transport: Transport;
  readonly #services: Services;
  readonly #onEnd: (connection: Connection) => void;
  readonly #splitter: FrameSplitter;
  readonly #outbox: Outbox;
  #state: ConnectionState = CONNECTION_LIFE.initial;
  #client: ActiveClient | undefined;
  readonly #early: EarlyInput;
  readonly #silence = new SilenceWatch();
  readonly #reading: Reading;
  /** Monotonic ms: when greeting and admission must be over. */
  #deadline: number;
  /** The form of a CONNACK that refuses. */
  #version: MqttVersion = 4;

  constructor({ id, transport, services, onEnd }: ConnectionPorts) {
    this.id = id;
    this.transport = transport;
    this.#services = services;
    this.#onEnd = onEnd;
    this.#splitter = new FrameSplitter(services.limits.maxConnectBytes);
    this.#outbox = new Outbox(transport, services.flusher, () => this.drained());
    this.#early = new EarlyInput(transport, services.limits.maxEarlyBytes);
    const { clock, limits } = services;
    this.#reading = new Reading({ transport, clock, restMs: limits.restMs, onWake: () => this.#readHeld() });
    this.#deadline = clock.monotonicMs() + limits.connectDeadlineMs;
  }

  get active(): boolean {
    return this.#state === 'active';
  }

  /** Undefined before CONNACK. */
  get info(): ConnectionInfo | undefined {
    return this.#client?.info;
  }

  data(chunk: Uint8Array): void {
    this.#silence.hear();
    if (this.#holds) this.#early.hold(chunk);
    else if (this.#state !== 'ended') this.#ingest(chunk);
  }

  drained(): void {
    if (this.#state === 'active') this.#client?.drained();
  }

  closed(): void {
    this.#end('connection-lost', true);
  }

  frame(first: number, bytes: Uint8Array, start: number, body: number, end: number): boolean {
    if (this.#client !== undefined) this.#client.handle(first, bytes, start, body, end);
    else this.#greet(first, bytes.subarray(body, end));
    return this.#state === 'active' && !this.#reading.resting;
  }

  fail(reason: number | undefined, cause: EndCause): void {
    if (this.#state === 'active' && this.#client?.version === 5 && reason !== undefined) {
      this.#outbox.add(encodeReasonPacket({ kind: 'disconnect', reason }, 5));
    }
    this.#end(cause, cause !== 'cut');
  }

  leave(withWill: boolean): void {
    this.#end('client-disconnect', withWill);
  }

  block(): void {
    this.#reading.block();
  }

  unblock(): void {
    if (this.#state === 'active') this.#reading.unblock();
  }

  rest(behind: Relief): void {
    if (this.#state === 'active') this.#reading.rest(behind);
  }

  /** Called about once a second. */
  tick(nowMs: number): void {
    if (this.#state === 'active') {
      this.#watchClient(nowMs);
      return;
    }
    if (nowMs < this.#deadline) return;
    if (this.#state === 'admitting') this.#refuse(UNAVAILABLE);
    else this.#end('protocol-error', false);
  }

  /** Whether what comes is kept for afterwards. */
  get #holds(): boolean {
    return this.#state === 'admitting' || this.#reading.resting;
  }

  /** Reads what was held, as far as that goes without another rest. */
  #readHeld(): void {
    this.#early.release((chunk) => {
      if (this.#reading.resting) this.#early.hold(chunk);
      else if (this.active) this.#ingest(chunk);
    });
  }

  #watchClient(nowMs: number): void {
    this.#checkBacklog();
    if (!this.#silence.isOver(nowMs) || !this.active) return;
    this.#services.metrics.keepAliveTimeouts++;
    this.fail(REASON.keepAliveTimeout, 'keep-alive-timeout'); // [MQTT-3.1.2-22]
  }

  /** A client that asks without reading the answers is not kept. */
  #checkBacklog(): void {
    const { limits, metrics } = this.#services;
    if (!this.active || this.#outbox.unsent <= limits.maxBufferedBytes) return;
    metrics.slowConsumersClosed++;
    this.fail(REASON.quotaExceeded, 'slow-consumer');
  }

  #ingest(chunk: Uint8Array): void {
    try {
      const used = this.#splitter.push(chunk, this);
      if (used < chunk.length && this.#holds) this.#early.hold(chunk.subarray(used));
    } catch (error) {
      this.#broken(error);
      return;
    }
    this.#checkBacklog();
  }

  #broken(error: unknown): void {
    if (!HoldfastError.is(error)) {
      this.#services.log.error('a packet could not be handled', { connection: this.id, error: String(error) });
      this.fail(REASON.unspecifiedError, 'server-error');
      return;
    }
    this.#services.metrics.protocolErrors++;
    this.fail(faultReason(error), 'protocol-error');
  }

  #greet(first: number, body: Uint8Array): void {
    if (first !== PACKET_TYPE.connect << 4) throw protocolError('first packet'); // [MQTT-3.1.0-1]
    const connect = decodeConnect(body);
    if (connect.kind === 'unsupported-protocol') {
      // The form of 3.1.1, which clients of every version can read [MQTT-3.1.2-2].
      const reason = RETURN_CODE.unacceptableProtocolVersion;
      this.#outbox.add(encodeConnack({ sessionPresent: false, reason }, 4));
      this.#end('protocol-error', false);
      return;
    }
    this.#state = CONNECTION_LIFE.step(this.#state, 'connect');
    this.#admit(connect);
  }

  /** Asks who it is. The connection is registered already, so that a cut meanwhile finds it. */
  #admit(connect: ConnectPacket): void {
    const { authenticator, profile, random, limits, clock, log } = this.#services;
    this.#version = connect.version;
    const refusal = refusalOfConnect(connect, profile);
    if (refusal !== undefined) {
      this.#refuse(refusal);
      return;
    }
    this.#deadline = clock.monotonicMs() + limits.admitDeadlineMs;
    const clientIdAssigned = connect.clientId === '';
    const clientId = clientIdAssigned ? assignClientId(random) : connect.clientId;
    const request = { connectionId: this.id, connect, clientId, clientIdAssigned, peer: this.transport.peer };
    const asked = (async () => authenticator.admit(request))();
    asked.then(
      (verdict) => this.#judged(verdict, connect, clientId),
      (error: unknown) => {
        log.error('a client could not be authenticated', { connection: this.id, error: String(error) });
        this.#refuse(UNAVAILABLE);
      },
    );
  }

  #judged(verdict: AdmitVerdict, connect: ConnectPacket, clientId: string): void {
    if (this.#state !== 'admitting') return; // Cut or gone meanwhile: no CONNACK.
    try {
      const refusal =
        verdict.kind === 'refused'
          ? verdict
          : refusalOfPolicy(connect, clientId, verdict.principal, this.#services.profile);
      if (refusal !== undefined) this.#refuse(refusal);
      else if (verdict.kind === 'admitted') this.#claim(verdict.principal, connect, clientId);
    } catch (error) {
      this.#broken(error);
    }
  }

  #refuse(refusal: Refusal): void {
    if (this.#state !== 'admitting') return;
    this.#services.metrics.connectionsRefused++;
    this.#outbox.add(encodeRefusal(refusal, this.#version));
    this.#end('forbidden', false);
  }

  /** Where several cores serve the same sessions, the session must be this one's first. */
  #claim(principal: MqttPrincipal, connect: ConnectPacket, clientId: string): void {
    const { log, peers } = this.#services;
    if (peers === undefined || !principal.persistentAllowed) {
      this.#welcome(principal, connect, clientId);
      return;
    }
    const info = this.#infoOf(principal, connect, clientId);
    this.#claimed(peers, info, () => this.#admitted(principal, connect, clientId)).catch((error: unknown) => {
      log.warn('a session could not be claimed', { connection: this.id, error: String(error) });
      this.#refuse(UNAVAILABLE);
    });
  }

  #admitted(principal: MqttPrincipal, connect: ConnectPacket, clientId: string): void {
    try {
      this.#welcome(principal, connect, clientId);
    } catch (error) {
      this.#broken(error);
    }
  }

  /** Reads again when another connection here had the session while it was read: what is stored is newer then. */
  async #claimed(peers: Peers, info: ConnectionInfo, then: () => void): Promise<void> {
    const { journal, sessions } = this.#services;
    const { sessionKey } = info;
    for (;;) {
      sessions.endPrevious(sessionKey, info);
      await new Promise<void>((resolve) => {
        journal.whenDurable(() => resolve());
      });
      const before = sessions.get(sessionKey)?.departures;
      const state = await peers.claim(info);
      if (this.#state !== 'admitting') return;
      const session = sessions.get(sessionKey);
      if (session?.link !== undefined || session?.departures !== before) continue;
      sessions.prepare(sessionKey, state);
      then();
      return;
    }
  }

  #infoOf(principal: MqttPrincipal, connect: ConnectPacket, clientId: string): ConnectionInfo {
    return {
      connectionId: this.id,
      sessionKey: principal.sessionKey,
      realm: principal.realm,
      clientId,
      address: this.transport.peer.address,
      version: connect.version,
      connectedAt: this.#services.clock.now(),
      keepAliveSeconds: keepAliveInForce(this.#services.profile, connect.keepAlive),
      principal,
    };
  }

  #welcome(principal: MqttPrincipal, connect: ConnectPacket, clientId: string): void {
    const { profile, limits, clock, observer } = this.#services;
    const expirySeconds = sessionExpiry(connect, principal, limits);
    const assignedClientId = connect.clientId === '' ? clientId : undefined;
    const properties = connackProperties({ connect, profile, limits, assignedClientId, expirySeconds });
    const probe = encodeConnack({ sessionPresent: false, reason: REASON.success, properties }, connect.version);
    if (probe.length > (connect.properties.maximumPacketSize ?? probe.length)) {
      this.#end('protocol-error', false); // Not even CONNACK fits [MQTT-3.1.2-24].
      return;
    }
    const { version } = connect;
    const info = this.#infoOf(principal, connect, clientId);
    this.#state = CONNECTION_LIFE.step(this.#state, 'admit');
    const client = new ActiveClient({
      services: this.#services,
      control: this,
      outbox: this.#outbox,
      connect,
      info,
      expirySeconds,
    });
    this.#client = client;
    this.#splitter.maxPacketSize = limits.maxPacketBytes;
    this.#silence.allow(info.keepAliveSeconds * 1500, clock.monotonicMs());
    const { sessionPresent } = client;
    this.#outbox.add(encodeConnack({ sessionPresent, reason: REASON.success, properties }, version));
    observer.connected?.(info);
    if (sessionPresent) client.session.outbound.resume(client);
    this.#readHeld();
  }

  #end(cause: EndCause, willDue: boolean): void {
    if (this.#state === 'ended') return;
    this.#state = CONNECTION_LIFE.step(this.#state, 'end');
    this.#outbox.flush();
    this.#outbox.close();
    this.transport.end();
    this.#reading.end();
    this.#early.release(() => undefined);
    this.#client?.ended(cause, willDue);
    this.#onEnd(this);
  }
}
