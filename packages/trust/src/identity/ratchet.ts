import { hmac, sha256, timingSafeEqual } from '@holdfast/crypto';
import {
  type Clock,
  concatBytes,
  encodeHex,
  encodeUtf8,
  formatRfc3339,
  HoldfastError,
  type Random,
} from '@holdfast/kernel';
import type { AuditLog, DeviceId, RatchetRecord, RatchetRepository, Store, Tenant } from '../ports/index.ts';
import { actorOf, type DevicePrincipal, type OperatorPrincipal, type SystemPrincipal } from '../principal.ts';
import type { QuarantineFinding } from './clone-trap.ts';
import { onFreshRead } from './fresh-read.ts';

export interface RatchetPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly ratchets: RatchetRepository;
  readonly registry: {
    quarantine(principal: SystemPrincipal, deviceId: DeviceId, finding: QuarantineFinding): Promise<unknown>;
  };
  /** 32 bytes, the same on every node: a value that one gave is taken by another. */
  readonly key: Uint8Array;
}

export interface RatchetUse {
  /** What the connection showed; empty when nothing. */
  readonly shown: readonly Uint8Array[];
  readonly remoteAddress: string;
}

const RANDOM_BYTES = 32;
const CODE_BYTES = 16;

/**
 * Notices a copied key at its first double use, however far apart: each connection of a device turns a value, and the
 * next must show it. Whoever comes second shows one that was turned away from.
 *
 * The device keeps a new value before it turns to it and the old one until it heard that it turned, and shows both: no
 * loss of power leaves it without the value that counts. Nothing is stored for a value that is only offered.
 */
export class Ratchet {
  readonly #ports: RatchetPorts;

  constructor(ports: RatchetPorts) {
    this.#ports = ports;
  }

  /**
   * Judges what a new connection shows. A device that takes part and shows nothing is no better than one that shows
   * an old value: a copied key would else come without.
   */
  async admit(device: DevicePrincipal, { shown, remoteAddress }: RatchetUse): Promise<'admitted' | 'quarantined'> {
    const { ratchets, registry, clock } = this.#ports;
    const { tenant, deviceId } = device;
    const record = await ratchets.find(tenant, deviceId);
    if (record === undefined || shown.some((value) => isOf(record, value))) return 'admitted';
    const use = { remoteAddress, at: clock.now(), hadValue: shown.length > 0 };
    await registry.quarantine({ kind: 'system', tenant }, deviceId, findingOf(record, use));
    return 'quarantined';
  }

  /** A value to keep and then turn to; asked again, another one. */
  async offer({ tenant, deviceId }: DevicePrincipal): Promise<Uint8Array> {
    const record = await this.#ports.ratchets.find(tenant, deviceId);
    const random = this.#ports.random.bytes(RANDOM_BYTES);
    return concatBytes(random, this.#codeOf(random, { tenant, deviceId, generation: record?.generation ?? 0 }));
  }

  /**
   * From now on this value is the one; again and again the same is one turn. A first turn makes the device take part.
   *
   * @throws `identity.ratchet_stale` for a value that was not offered since the last turn
   */
  turn({ tenant, deviceId }: DevicePrincipal, value: Uint8Array, remoteAddress: string): Promise<void> {
    const { ratchets, store, clock } = this.#ports;
    return onFreshRead(async () => {
      const record = await ratchets.find(tenant, deviceId);
      if (record !== undefined && isOf(record, value)) return;
      const generation = record?.generation ?? 0;
      const random = value.subarray(0, RANDOM_BYTES);
      const code = this.#codeOf(random, { tenant, deviceId, generation });
      const given = value.subarray(RANDOM_BYTES);
      if (given.length !== CODE_BYTES || !timingSafeEqual(given, code)) {
        throw new HoldfastError('identity.ratchet_stale', { deviceId });
      }
      const turned = { valueSha256: hashOf(value), generation: generation + 1, turnedAt: clock.now(), remoteAddress };
      await store.commit([ratchets.turning({ tenant, deviceId, ...turned })]);
    });
  }

  /** Undefined for a device that takes no part. */
  standing(tenant: Tenant, deviceId: DeviceId): Promise<RatchetRecord | undefined> {
    return this.#ports.ratchets.find(tenant, deviceId);
  }

  /** Lets a device begin anew, for one whose memory was put back or whose software takes no part any more. */
  async reset(principal: OperatorPrincipal, deviceId: DeviceId): Promise<void> {
    const { ratchets, store, audit } = this.#ports;
    const { tenant } = principal;
    await store.commit([
      ratchets.forgetting(tenant, deviceId),
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'device.ratchet_reset',
        subject: deviceId,
        details: {},
      }),
    ]);
  }

  #codeOf(
    random: Uint8Array,
    of: { readonly tenant: Tenant; readonly deviceId: DeviceId; readonly generation: number },
  ): Uint8Array {
    const bound = encodeUtf8(JSON.stringify([of.tenant, of.deviceId, of.generation]));
    return hmac('sha256', this.#ports.key, concatBytes(random, bound)).subarray(0, CODE_BYTES);
  }
}

const hashOf = (value: Uint8Array): string => encodeHex(sha256(value));
const isOf = (record: RatchetRecord, value: Uint8Array): boolean => hashOf(value) === record.valueSha256;

function findingOf(
  record: RatchetRecord,
  use: { readonly remoteAddress: string; readonly at: number; readonly hadValue: boolean },
): QuarantineFinding {
  const first = { address: record.remoteAddress, at: formatRfc3339(record.turnedAt) };
  const second = { address: use.remoteAddress, at: formatRfc3339(use.at) };
  const how = use.hadValue ? 'with an old value' : 'without the value of the last connection';
  return {
    code: 'identity.clone_suspected',
    words: `the same key was used from ${first.address} at ${first.at} and, ${how}, from ${second.address} at ${second.at}`,
    details: {
      firstAddress: first.address,
      firstConnectedAt: first.at,
      secondAddress: second.address,
      secondConnectedAt: second.at,
      shown: use.hadValue ? 'old' : 'nothing',
    },
  };
}
