import { createServer as createTlsServer } from 'node:tls';
import type { Clock, Log } from '@holdfast/kernel';
import {
  type AdmissionLimits,
  type RefusedHandshake,
  type ServerMaterial,
  type TlsChoices,
  TlsDoor,
} from '../gateway/index.ts';
import { type DeviceHttp, HTTPS_ALPN } from './device-http.ts';

export interface DeviceListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly material: ServerMaterial;
  readonly clientCas: readonly string[];
  readonly ticketSecret: Uint8Array;
  readonly ticketEpoch: number;
  readonly limits?: Partial<AdmissionLimits>;
  readonly tls?: Partial<TlsChoices>;
  readonly http: DeviceHttp;
  readonly onRefused: (refusal: RefusedHandshake) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Device HTTPS on a port of its own. */
export class DeviceListener {
  readonly #door: TlsDoor;

  constructor(options: DeviceListenerOptions) {
    const { http, ...rest } = options;
    this.#door = new TlsDoor({
      ...rest,
      name: 'device-https',
      alpn: HTTPS_ALPN,
      makeServer: (tls) =>
        createTlsServer(tls, (socket) => {
          this.#door.shaken(socket);
          http.take(socket);
        }),
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
