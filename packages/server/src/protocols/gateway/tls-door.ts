import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Server as TlsServer, TlsOptions, TLSSocket } from 'node:tls';
import type { Clock, Log } from '@holdfast/kernel';
import type { RefusedHandshake } from './audit-trail.ts';
import { awaitClientHello } from './client-hello.ts';
import { ConnectGate, type GateCounters } from './connect-gate.ts';
import { listenOn } from './listen.ts';
import { ADMISSION_LIMITS, type AdmissionLimits } from './limits.ts';
import { TicketKeys } from './ticket-keys.ts';
import { type ServerMaterial, type TlsChoices, tlsOptions, trustSetOf } from './tls-settings.ts';

export interface TlsDoorOptions {
  /** Names the door in tickets, logs and counters. */
  readonly name: string;
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly material: ServerMaterial;
  readonly clientCas: readonly string[] | undefined;
  readonly alpn: readonly string[];
  readonly ticketSecret: Uint8Array;
  readonly ticketEpoch: number;
  readonly limits?: Partial<AdmissionLimits>;
  readonly tls?: Partial<TlsChoices>;
  /** Makes the server that speaks behind TLS, from the options of its TLS. */
  readonly makeServer: (options: TlsOptions) => TlsServer;
  readonly onRefused: (refusal: RefusedHandshake) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** One TLS port: accepts, limits, waits for a whole ClientHello, then hands over to the TLS server. */
export class TlsDoor {
  readonly #options: TlsDoorOptions;
  readonly #limits: AdmissionLimits;
  readonly #gate: ConnectGate;
  readonly #tickets: TicketKeys;
  readonly #tls: TlsServer;
  readonly #net: NetServer;
  readonly #sockets = new Set<Socket>();
  readonly #shaking = new Set<string>();
  #material: ServerMaterial;
  #clientCas: readonly string[] | undefined;

  constructor(options: TlsDoorOptions) {
    const { clientCas, clock, material, name, ticketEpoch, ticketSecret } = options;
    this.#options = options;
    this.#limits = { ...ADMISSION_LIMITS, ...options.limits };
    this.#gate = new ConnectGate(this.#limits, { clock, residentBytes: () => process.memoryUsage.rss() });
    this.#material = material;
    this.#clientCas = clientCas;
    this.#tickets = new TicketKeys({
      secret: ticketSecret,
      scope: { listener: name, trustSet: trustSetOf(clientCas) },
      clock,
      epoch: ticketEpoch,
      use: (keys) => this.#tls.setTicketKeys(keys),
    });
    this.#tls = options.makeServer(this.#tlsOptions());
    this.#tls.on('tlsClientError', (_, socket) => this.#refused(socket));
    this.#net = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  get counters(): GateCounters {
    return this.#gate.counters;
  }

  /** @returns the port in use. @throws `server.port_taken` */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    const inUse = await listenOn(this.#net, { host, port });
    // From this event on node:http watches its header deadlines; the socket that listens is not its own.
    this.#tls.emit('listening');
    return inUse;
  }

  /** Shows another certificate, or trusts other issuers, from the next handshake on; open connections stay. */
  replace(material: ServerMaterial, clientCas: readonly string[] | undefined = this.#clientCas): void {
    this.#material = material;
    this.#clientCas = clientCas;
    this.#tls.setSecureContext(this.#tlsOptions());
  }

  /** Makes every ticket so far worth nothing more than a full handshake. */
  raiseTicketEpoch(epoch: number): void {
    this.#tickets.raiseEpoch(epoch);
  }

  /** Stops accepting and drops what is open. */
  async close(): Promise<void> {
    this.#tickets.close();
    this.#gate.close();
    const closed = new Promise<void>((resolve) => this.#net.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    this.#tls.close();
    await closed;
  }

  #tlsOptions(): TlsOptions {
    const { alpn, name } = this.#options;
    return tlsOptions({
      listener: name,
      material: this.#material,
      clientCas: this.#clientCas,
      alpn,
      ticketKeys: this.#tickets.current(),
      handshakeMs: this.#limits.handshakeMs,
      choices: this.#options.tls,
    });
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const peer = peerOf(socket);
    if (address === '' || this.#gate.enter(address) !== undefined) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#gate.leave(address);
      this.#settle(peer);
    });
    const { clock } = this.#options;
    awaitClientHello(socket, { clock, deadlineMs: this.#limits.clientHelloMs }, (complete) => {
      if (complete) this.#gate.handshake(() => this.#shake(socket));
      else socket.destroy();
    });
  }

  #shake(socket: Socket): void {
    if (socket.destroyed) {
      this.#gate.finish();
      return;
    }
    this.#shaking.add(peerOf(socket));
    this.#tls.emit('connection', socket);
  }

  /** To be called when the handshake of a connection is done. */
  shaken(socket: TLSSocket): void {
    this.#settle(peerOf(socket));
  }

  #settle(peer: string): void {
    if (this.#shaking.delete(peer)) this.#gate.finish();
  }

  #refused(socket: TLSSocket): void {
    const error: unknown = socket.authorizationError;
    this.#options.onRefused({
      remoteAddress: socket.remoteAddress ?? '',
      untrusted: typeof error === 'string' ? error : undefined,
    });
    socket.destroy();
  }
}

/** Names one connection the same for its raw and its TLS socket. */
function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
