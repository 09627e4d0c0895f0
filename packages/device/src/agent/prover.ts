import { signEvidence } from '@holdfast/crypto';
import { decodeHex } from '@holdfast/kernel';
import {
  acceptedTopic,
  decodeEvidenceNonce,
  decodeEvidenceReply,
  decodeHoldfastRejection,
  decodeRenewalReply,
  decodeTimeReply,
  type EvidenceReply,
  encodeHealthReport,
  type HealthReport,
  type HoldfastRequest,
  holdfastTopic,
  rejectedTopic,
} from '@holdfast/wire/holdfast';
import { encodeQuoteEvidence } from '@holdfast/wire/tpm2';
import type { TpmIdentity } from '../keys/tpm-identity.ts';
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

  /**
   * Proves by a TPM what the machine measured: a fresh nonce, then the quote over it.
   *
   * @param eventLog - `/sys/kernel/security/tpm0/binary_bios_measurements`, whole
   * @throws `device.request_rejected` with the server's code, `device.tpm_refused`
   */
  async proveByQuote(tpm: TpmIdentity, pcrs: readonly number[], eventLog?: Uint8Array): Promise<EvidenceReply> {
    const { nonce } = decodeEvidenceNonce(await this.#ask('evidence/nonce', NOTHING));
    const evidence = encodeQuoteEvidence(await tpm.quote(nonce, pcrs, eventLog));
    return decodeEvidenceReply(await this.#ask('evidence', evidence));
  }

  /** The server's time, milliseconds since the Unix epoch. */
  async time(): Promise<number> {
    return decodeTimeReply(await this.#ask('time', NOTHING)) * 1000;
  }

  /** A value for the ratchet, to keep before turning to it. */
  offer(): Promise<Uint8Array> {
    return this.#ask('ratchet', NOTHING);
  }

  /** @throws `device.request_rejected`, `identity.ratchet_stale` for a value that the server does not know */
  async turn(value: Uint8Array): Promise<void> {
    await this.#ask('ratchet/turn', value);
  }

  /** Whether the server wants the certificate renewed before its time. */
  async mustRenew(): Promise<boolean> {
    return decodeRenewalReply(await this.#ask('renewal', NOTHING)).renew;
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
