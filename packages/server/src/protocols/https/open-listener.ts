import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Clock, Log } from '@holdfast/kernel';
import { type AdmissionLimits, listenOn, type ServerMaterial, type TlsChoices, TlsDoor } from '../gateway/index.ts';
import type { DeviceRoute } from './device-route.ts';
import { HTTP_SETTINGS, MAX_HEADERS } from './http-settings.ts';
import { type Caller, handleRequest } from './request-handler.ts';
import { RouteTable } from './route-table.ts';

const ANYONE: Caller = { kind: 'anyone' };

interface OpenListenerOptions {
  readonly host: string;
  readonly port: number;
  /** Rows for `anyone`; others are refused when the listener is made. */
  readonly routes: readonly DeviceRoute[];
  readonly clock: Clock;
  readonly log: Log;
}

export interface EnrollmentListenerOptions extends OpenListenerOptions {
  readonly material: ServerMaterial;
  readonly ticketSecret: Uint8Array;
  readonly ticketEpoch: number;
  readonly limits?: Partial<AdmissionLimits>;
  readonly tls?: Partial<TlsChoices>;
}

/** Server TLS without client certificates, for devices that have none yet. */
export class EnrollmentListener {
  readonly #door: TlsDoor;

  constructor(options: EnrollmentListenerOptions) {
    const ports = { ...portsOf(options), callerOf: () => Promise.resolve(ANYONE) };
    this.#door = new TlsDoor({
      name: 'enrollment',
      host: options.host,
      port: options.port,
      material: options.material,
      clientCas: undefined,
      alpn: ['http/1.1'],
      ticketSecret: options.ticketSecret,
      ticketEpoch: options.ticketEpoch,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      makeServer: (tls) => {
        const server = createHttpsServer({ ...tls, ...HTTP_SETTINGS }, (request, response) => {
          void handleRequest(ports, request, response);
        });
        server.maxHeadersCount = MAX_HEADERS;
        server.prependListener('secureConnection', (socket: TLSSocket) => this.#door.shaken(socket));
        return server;
      },
      onRefused: () => undefined,
      clock: options.clock,
      log: options.log,
    });
  }

  get door(): TlsDoor {
    return this.#door;
  }

  /** @returns the port in use. */
  listen(): Promise<number> {
    return this.#door.listen();
  }

  close(): Promise<void> {
    return this.#door.close();
  }
}

export interface PublicListenerOptions extends OpenListenerOptions {
  /** Puts a target into the one form the listener reads; a target that it does not know comes back as it is. */
  readonly plainTarget?: (target: string) => string;
}

/** Plain HTTP, for objects that carry their own signature: revocation lists, OCSP answers, issuer certificates. */
export class PublicListener {
  readonly #options: PublicListenerOptions;
  readonly #server: Server;

  constructor(options: PublicListenerOptions) {
    this.#options = options;
    const ports = { ...portsOf(options), callerOf: () => Promise.resolve(ANYONE) };
    this.#server = createHttpServer(HTTP_SETTINGS, (request, response) => {
      request.url = options.plainTarget?.(request.url ?? '') ?? request.url;
      void handleRequest(ports, request, response);
    });
    this.#server.maxHeadersCount = MAX_HEADERS;
    this.#server.maxConnections = 1_000;
  }

  /** @returns the port in use. */
  listen(): Promise<number> {
    return listenOn(this.#server, this.#options);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

function portsOf(options: OpenListenerOptions): { routes: RouteTable; clock: Clock; log: Log } {
  for (const { audience, path } of options.routes) {
    if (!audience.includes('anyone')) throw new TypeError(`${path} is not for anyone`);
  }
  return { routes: new RouteTable(options.routes), clock: options.clock, log: options.log };
}
