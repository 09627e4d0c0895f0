import type { TLSSocket } from 'node:tls';
import {
  decodePacket,
  encodeAck,
  encodeConnack,
  encodePublish,
  encodeSuback,
  FrameSplitter,
  type MqttVersion,
  PINGRESP,
  type PublishPacket,
} from '@holdfast/wire/mqtt';

/** Who answers what devices publish. */
export interface PeerServer {
  answer(peer: Peer, packet: PublishPacket): Promise<void>;
  joined(clientId: string, peer: Peer): void;
}

/** One MQTT connection. */
export class Peer {
  readonly socket: TLSSocket;
  clientId = '';
  nonce: Uint8Array = new Uint8Array();
  readonly #server: PeerServer;
  readonly #splitter = new FrameSplitter(1024 * 1024);
  #version: MqttVersion = 4;
  #packetId = 1;

  constructor(socket: TLSSocket, server: PeerServer) {
    this.socket = socket;
    this.#server = server;
  }

  start(): void {
    this.socket.setNoDelay(true);
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk: Uint8Array) =>
      this.#splitter.push(chunk, {
        frame: (first, bytes, _start, body, end) => {
          this.#take(first, bytes.slice(body, end));
          return true;
        },
      }),
    );
  }

  publish(topic: string, payload: Uint8Array, qos: 0 | 1 = 1): void {
    const packetId = qos === 1 ? this.#packetId++ : 0;
    if (this.socket.writable) this.socket.write(encodePublish({ topic, payload, qos, packetId }, this.#version));
  }

  #take(first: number, body: Uint8Array): void {
    const packet = decodePacket(first, body, this.#version);
    if (packet.kind === 'connect') {
      this.#version = packet.version;
      this.clientId = packet.clientId;
      this.#server.joined(packet.clientId, this);
      this.socket.write(encodeConnack({ sessionPresent: false, reason: 0 }, packet.version));
    } else if (packet.kind === 'subscribe') {
      const { packetId, subscriptions } = packet;
      this.socket.write(
        encodeSuback({ kind: 'suback', packetId, reasons: subscriptions.map(({ qos }) => qos) }, this.#version),
      );
    } else if (packet.kind === 'pingreq') this.socket.write(PINGRESP);
    else if (packet.kind === 'publish') {
      if (packet.qos === 1) this.socket.write(encodeAck({ kind: 'puback', packetId: packet.packetId }, this.#version));
      void this.#server.answer(this, packet);
    }
  }
}
