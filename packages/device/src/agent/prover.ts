import { signEvidence } from '@holdfast/crypto';
import { decodeHex } from '@holdfast/kernel';
import {
  acceptedTopic,
  decodeEvidenceNonce,
  decodeEvidenceReply,
  decodeHoldfastRejection,
  decodeTimeReply,
  type EvidenceReply,
  encodeHealthReport,
  type HealthReport,
  type HoldfastRequest,
  holdfastTopic,
  rejectedTopic,
} from '@holdfast/wire/holdfast';
import type { MqttConnection } from '../net/mqtt-connection.ts';
import type { BootResult } from '@holdfast/crypto/virtual-chip';

const NOTHING = new Uint8Array();

/** Holdfast's own requests on one connection. */
export class HoldfastRequests {
  readonly #connection: MqttConnection;
  readonly #thing: string;

  constructor(connection: MqttConnection, thing: string) {
    this.#connection = connection;
    this.#thing = thing;
  }

  /** Proves what boots: a fresh nonce, then the token over it. @throws `device.request_rejected` with the server's code */
  async prove({ attester, descriptor, debug }: BootResult, ueid: string): Promise<EvidenceReply> {
    const { nonce } = decodeEvidenceNonce(await this.#ask('evidence/nonce', NOTHING));
    const token = signEvidence(attester, {
      nonce,
      ueid: decodeHex(ueid),
      bootState: descriptor.bootState,
      bootCount: descriptor.bootCount,
      debug,
      softwareName: descriptor.name,
      softwareVersion: descriptor.version,
    });
    return decodeEvidenceReply(await this.#ask('evidence', token));
  }

  /** The server's time, milliseconds since the Unix epoch. */
  async time(): Promise<number> {
    return decodeTimeReply(await this.#ask('time', NOTHING)) * 1000;
  }

  async reportHealth(report: HealthReport): Promise<void> {
    await this.#connection.publish(holdfastTopic(this.#thing, 'health'), encodeHealthReport(report), 1);
  }

  #ask(request: HoldfastRequest, payload: Uint8Array): Promise<Uint8Array> {
    const topic = holdfastTopic(this.#thing, request);
    return this.#connection.request({
      topic,
      payload,
      accepted: acceptedTopic(topic),
      rejected: rejectedTopic(topic),
      readRejection: (reply) => decodeHoldfastRejection(reply).code,
    });
  }
}
