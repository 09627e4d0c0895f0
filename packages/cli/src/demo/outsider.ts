import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { type DeviceIdentity, softwareKeyOf } from '@holdfast/device';
import { encodeConnect, reasonName } from '@holdfast/wire/mqtt';
import { OutsiderLine } from './outsider-line.ts';
import type { Stage } from './stage.ts';

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';
export const TLS_VERSIONS: readonly TlsVersion[] = ['TLSv1.2', 'TLSv1.3'];

/** What an outsider shows at a door. */
export interface Credentials {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly clientId: string;
}

export interface KnockOptions {
  readonly tls?: TlsVersion;
  /** A session ticket from before. */
  readonly session?: Buffer;
  /** The address to come from. */
  readonly localAddress?: string;
}

export interface Knock {
  /** CONNACK and its reason; or how it ended without one. */
  readonly answer: string;
  /** Whether TLS took the old session up again. */
  readonly resumed: boolean;
  /** Open when the answer is `CONNACK success`. */
  readonly line: OutsiderLine;
}

export const ADMITTED = 'CONNACK success';

/** Knocks at the MQTT door with whatever one has: real TLS, one CONNECT, and what comes back. */
export async function knock(stage: Stage, who: Credentials, options: KnockOptions = {}): Promise<Knock> {
  const socket = openTls(stage, stage.address.mqttPort, who, options);
  const line = new OutsiderLine(socket, stage);
  socket.once('secureConnect', () => {
    socket.write(
      encodeConnect({
        version: 5,
        clean: true,
        keepAlive: 60,
        clientId: who.clientId,
        properties: {},
        will: undefined,
        userName: undefined,
        password: undefined,
      }),
    );
  });
  const first = await line.next('connack');
  const answer = first?.kind === 'connack' ? `CONNACK ${reasonName(first.reason)}` : `no CONNACK, ${line.ending}`;
  return { answer, resumed: line.resumed, line };
}

/** Asks the device HTTPS door; what comes back in one line, such as `HTTP 404`. */
export async function askHttps(stage: Stage, who: Credentials, options: KnockOptions = {}) {
  const socket = openTls(stage, stage.address.httpsPort, who, options);
  const line = new OutsiderLine(socket, stage);
  socket.once('secureConnect', () =>
    socket.write(`GET /artifacts/none HTTP/1.1\r\nHost: ${stage.address.host}\r\n\r\n`),
  );
  const text = await line.firstText();
  const answer = text === undefined ? `no answer, ${line.ending}` : `HTTP ${text.split(' ', 2)[1]}`;
  return { answer, resumed: line.resumed, line };
}

function openTls(stage: Stage, port: number, who: Credentials, options: KnockOptions): TLSSocket {
  const { host } = stage.address;
  const { tls, session, localAddress } = options;
  const from: ConnectionOptions & { readonly localAddress?: string } = {
    host: '127.0.0.1',
    servername: host,
    port,
    ca: [...stage.factory.trust.tlsAnchors],
    cert: who.certificatePem,
    key: who.keyPem,
    ...(tls === undefined ? {} : { minVersion: tls, maxVersion: tls }),
    ...(session === undefined ? {} : { session }),
    ...(localAddress === undefined ? {} : { localAddress }),
  };
  return connectTls(from);
}

/** A device's own certificate and key, in the hands of whoever asks. */
export function credentialsOf({ deviceId, certificatePem, key }: DeviceIdentity): Credentials {
  return { clientId: deviceId, certificatePem, keyPem: softwareKeyOf(key).exportPem() };
}
