import { type Clock, encodeUtf8, HoldfastError, toHoldfastError } from '@holdfast/kernel';
import type { Ratchet } from '@holdfast/trust/identity';
import type { AttestationDoor } from '@holdfast/trust/posture';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import {
  acceptedTopic,
  decodeHealthReport,
  encodeEvidenceNonce,
  encodeEvidenceReply,
  encodeHoldfastRejection,
  encodeRenewalReply,
  encodeTimeReply,
  type HealthReport,
  type HoldfastRequest,
  holdfastTopic,
  rejectedTopic,
} from '@holdfast/wire/holdfast';
import type { ReservedAsker } from '../mqtt/ports.ts';
import { secondsOf } from './job-words.ts';
import type { DeviceRequest } from './request.ts';
import type { RequestRate } from './request-rate.ts';

export interface HoldfastAsked {
  readonly thing: string;
  readonly request: HoldfastRequest;
}

export interface HoldfastTopicsPorts {
  readonly clock: Clock;
  readonly attestation: AttestationDoor;
  readonly ratchet: Pick<Ratchet, 'offer' | 'turn'>;
  /** Whether a device is to renew its certificate before its time. */
  readonly mustRenew: (device: DevicePrincipal) => Promise<boolean>;
  readonly rate: RequestRate;
  /** Reads the asking connection's rights again. */
  readonly renewRights: (asker: ReservedAsker) => Promise<void>;
  /** Takes what a device says of itself; shown as such, never grounds for trust. */
  readonly onHealth: (device: DevicePrincipal, report: HealthReport) => void;
}

interface HoldfastDeviceRequest extends DeviceRequest<HoldfastAsked> {
  readonly remoteAddress: string;
}

type Reply = Promise<Uint8Array> | Uint8Array;

/** Evidence, time and health: what a device keeps however restricted it is. */
export class HoldfastTopics {
  readonly #ports: HoldfastTopicsPorts;
  readonly #verbs: Readonly<
    Record<HoldfastRequest, (device: DevicePrincipal, payload: Uint8Array, remoteAddress: string) => Reply>
  > = {
    'evidence/nonce': (device) => this.#challenge(device),
    evidence: (device, token) => this.#appraise(device, token),
    time: () => encodeTimeReply(secondsOf(this.#ports.clock.now())),
    health: (device, payload) => this.#health(device, payload),
    ratchet: (device) => this.#ports.ratchet.offer(device),
    'ratchet/turn': (device, value, remoteAddress) => this.#turn(device, value, remoteAddress),
    renewal: async (device) => encodeRenewalReply({ renew: await this.#ports.mustRenew(device) }),
  };

  constructor(ports: HoldfastTopicsPorts) {
    this.#ports = ports;
  }

  async answer({ asker, asked, device, payload, remoteAddress }: HoldfastDeviceRequest): Promise<void> {
    const topic = holdfastTopic(asked.thing, asked.request);
    try {
      await this.#ports.rate.take(asker.connectionId);
      const reply = await this.#verbs[asked.request](device, payload, remoteAddress);
      // The device acts on the answer at once; at MQTT 3.1.1 a message too early would cost it the connection.
      if (asked.request === 'evidence') await this.#ports.renewRights(asker);
      asker.reply(acceptedTopic(topic), reply, { unpoliced: true });
    } catch (caught) {
      const { code, message } = toHoldfastError(caught);
      asker.reply(rejectedTopic(topic), encodeHoldfastRejection({ code, message }), { unpoliced: true });
    }
  }

  async #challenge(device: DevicePrincipal): Promise<Uint8Array> {
    const { attestation, clock } = this.#ports;
    const { nonce, expiresAt } = await attestation.challenge(device);
    return encodeEvidenceNonce({ nonce, expiresInSeconds: Math.max(1, secondsOf(expiresAt - clock.now())) });
  }

  async #appraise(device: DevicePrincipal, token: Uint8Array): Promise<Uint8Array> {
    const result = await this.#ports.attestation.appraise(device, token);
    if (result.kind === 'refused') throw new HoldfastError(result.code);
    const { posture, reasons, evidence, proceed } = result;
    const words = reasons.map((reason) => reason.words);
    return encodeEvidenceReply({ posture, reasons: words, bootState: evidence.bootState, proceed });
  }

  async #turn(device: DevicePrincipal, value: Uint8Array, remoteAddress: string): Promise<Uint8Array> {
    await this.#ports.ratchet.turn(device, value.slice(), remoteAddress);
    return encodeUtf8('{}');
  }

  #health(device: DevicePrincipal, payload: Uint8Array): Uint8Array {
    this.#ports.onHealth(device, decodeHealthReport(payload));
    return encodeUtf8('{}');
  }
}
