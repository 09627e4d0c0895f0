import type { TLSSocket } from 'node:tls';
import type { Clock } from '@holdfast/kernel';
import { type MqttBroker, type MqttProfile, type PeerInfo, SocketTransport, type Transport } from '../mqtt/index.ts';
import { MqttPeer } from './mqtt-peer.ts';
import { type PeerAdmission, peerFingerprint, presentedChain } from './peer-admission.ts';

export interface MqttEntrancePorts {
  readonly broker: Pick<MqttBroker, 'accept' | 'close' | 'cutConnection' | 'limitsOf'>;
  /** How MQTT behaves for who comes by here; the broker's own unless given. */
  readonly profile?: MqttProfile;
  readonly admission: PeerAdmission;
  /** Unique for each connection of the process' life. */
  readonly nextConnectionId: () => string;
  readonly clock: Clock;
}

/** A byte stream over a proven TLS connection, whatever frames it. */
export interface MqttStream {
  readonly makeTransport: (peer: PeerInfo) => Transport;
  /** Ends the stream before the core knows of it. */
  readonly destroy: () => void;
  readonly onceClosed: (listener: () => void) => void;
}

/** Where every door that carries MQTT hands its connections over: registered first, judged second, then the core's. */
export class MqttEntrance {
  readonly #ports: MqttEntrancePorts;

  constructor(ports: MqttEntrancePorts) {
    this.#ports = ports;
  }

  get limits(): ReturnType<MqttBroker['limitsOf']> {
    return this.#ports.broker.limitsOf(this.#ports.profile);
  }

  /** Takes a TLS connection whose bytes are MQTT. */
  take(socket: TLSSocket): void {
    const { clock } = this.#ports;
    const { lingerMs } = this.limits;
    this.takeStream(socket, {
      makeTransport: (peer) => new SocketTransport(socket, { peer, clock, lingerMs }),
      destroy: () => socket.destroy(),
      onceClosed: (listener) => socket.once('close', listener),
    });
  }

  /** Takes a stream that runs inside a TLS connection. */
  takeStream(socket: TLSSocket, stream: MqttStream): void {
    const fingerprint = peerFingerprint(socket);
    if (fingerprint === undefined) {
      stream.destroy();
      return;
    }
    const { admission, broker, nextConnectionId, profile } = this.#ports;
    const held: { brokerId?: string | undefined } = {};
    const opened = admission.open({
      id: nextConnectionId(),
      protocol: 'mqtt',
      fingerprint,
      remoteAddress: socket.remoteAddress ?? '',
      presented: () => presentedChain(socket),
      end: () => {
        if (held.brokerId === undefined) stream.destroy();
        else broker.cutConnection(held.brokerId);
      },
    });
    const identity = new MqttPeer(opened.session, opened.admission);
    const address = `${socket.remoteAddress}:${socket.remotePort}`;
    held.brokerId = broker.accept(stream.makeTransport({ address, identity }), profile);
    // After the core heard of it: a will is judged by the rights of the session, which end with it.
    stream.onceClosed(() => admission.closed(opened.session));
  }

  /** Says good-bye to every client while it still has its socket, and waits until what it said is durable. */
  async close(): Promise<void> {
    await this.#ports.broker.close();
  }
}
