import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { WebSocketServer } from 'ws';
import type { MqttEntrance } from './mqtt-entrance.ts';
import { WebSocketTransport } from './web-socket-transport.ts';

/** Where stock clients look for MQTT over WebSocket. */
export const WEB_SOCKET_PATH = '/mqtt';

/** [MQTT-6.0.0-3] */
const SUBPROTOCOL = 'mqtt';

/** One message may join packets; a whole stream in one message is an attempt to fill memory. */
const PACKETS_PER_MESSAGE = 4;

/** MQTT inside WebSocket, on connections that already proved a certificate to device HTTPS. */
export class WebSocketDoor {
  readonly #entrance: MqttEntrance;
  #server: Promise<WebSocketServer> | undefined;

  constructor(entrance: MqttEntrance) {
    this.#entrance = entrance;
  }

  /** Whether a request asks for this door; any other `Upgrade` is ignored, as RFC 9110 7.8 allows. */
  static isAskedFor({ headers, headersDistinct, method, url }: IncomingMessage): boolean {
    if (method !== 'GET' || url?.split('?', 1)[0] !== WEB_SOCKET_PATH) return false;
    if (headers.upgrade?.toLowerCase() !== 'websocket' || headersDistinct['host']?.length !== 1) return false;
    return offersMqtt(headers['sec-websocket-protocol']) && isOwnOrigin(headers.origin, headers.host);
  }

  /** Answers the upgrade; a handshake that RFC 6455 does not allow is answered by the library and closed. */
  async upgrade(request: IncomingMessage, socket: TLSSocket, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    this.#server ??= this.#makeServer();
    const server = await this.#server;
    if (socket.destroyed) return;
    server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#entrance.takeStream(socket, {
        makeTransport: (peer) => new WebSocketTransport(webSocket, socket, peer),
        destroy: () => webSocket.terminate(),
        onceClosed: (listener) => webSocket.once('close', listener),
      });
    });
  }

  /** Loaded when the first client asks: most fleets never do. */
  async #makeServer(): Promise<WebSocketServer> {
    const { WebSocketServer } = await import('ws');
    const { lingerMs, maxPacketBytes } = this.#entrance.limits;
    // The types of `ws` are older than its closeTimeout.
    const options = {
      noServer: true,
      clientTracking: false,
      // Compression would tell the length of a secret beside chosen text, and unpack a little into a lot.
      perMessageDeflate: false,
      maxPayload: PACKETS_PER_MESSAGE * maxPacketBytes,
      closeTimeout: lingerMs,
      handleProtocols: () => SUBPROTOCOL,
    };
    return new WebSocketServer(options);
  }
}

function offersMqtt(protocols: string | undefined): boolean {
  return protocols?.split(',').some((name) => name.trim() === SUBPROTOCOL) ?? false;
}

/**
 * A browser brings its certificate to whoever asks: a page of another site must not speak with it, nor one of this name
 * that came in clear, which anybody in between may have written.
 */
function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  const own = URL.parse(`https://${host}`)?.origin;
  return own !== undefined && URL.parse(origin)?.origin === own;
}
