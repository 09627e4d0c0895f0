import { defaultAlgorithm, hmac, importPublicKey, sha256, timingSafeEqual, verifySignature } from '@holdfast/crypto';
import {
  ByteReader,
  ByteWriter,
  type Clock,
  concatBytes,
  decodeHex,
  decodeUtf8,
  encodeHex,
  encodeUtf8,
  type EpochMs,
  HoldfastError,
} from '@holdfast/kernel';
import { type KeyDestroyed, parseDestruction } from '@holdfast/wire/holdfast';
import { decodeCertificate } from '@holdfast/wire/x509';
import type { AuditLog, CertificateRepository, DeviceId, DeviceRecord, Store, Tenant } from '../ports/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';
import { isLive } from './certificate-states.ts';
import type { Registry } from './registry.ts';
import type { Revocation } from './revocation.ts';

export interface DecommissionPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly certificates: Pick<CertificateRepository, 'ofDevice'>;
  readonly registry: Pick<Registry, 'show' | 'archive'>;
  readonly revocation: Pick<Revocation, 'device'>;
  /** 32 bytes, the same on every node. */
  readonly key: Uint8Array;
}

/** What the device handed over when its key was destroyed. */
export interface DestructionProof {
  /** UTF-8. */
  readonly statement: Uint8Array;
  /** By the destroyed key over the statement. */
  readonly signature: Uint8Array;
}

const LIFE_MS = 7 * 86_400_000;
const CODE_BYTES = 16;
const TIME_BYTES = 8;

/**
 * Puts a device away for good on the last word of its key.
 *
 * It shows that whoever held the key agreed to its end; that no copy exists, only a chip that never gave it out can show.
 */
export class Decommission {
  readonly #ports: DecommissionPorts;

  constructor(ports: DecommissionPorts) {
    this.#ports = ports;
  }

  /** What the key has to sign before it is destroyed; good for a week, for this device. @throws `identity.unknown_device` */
  async challenge(
    tenant: Tenant,
    deviceId: DeviceId,
  ): Promise<{ readonly bytes: Uint8Array; readonly until: EpochMs }> {
    await this.#ports.registry.show(tenant, deviceId);
    const until = this.#ports.clock.now() + LIFE_MS;
    return { bytes: this.#challengeOf(tenant, deviceId, until), until };
  }

  /**
   * Revokes and archives the device.
   *
   * @throws `identity.bad_destruction_proof`; `kernel.invalid_transition` for an archived device
   */
  async complete(
    principal: OperatorPrincipal,
    deviceId: DeviceId,
    { statement, signature }: DestructionProof,
  ): Promise<DeviceRecord> {
    const { audit, certificates, registry, revocation, store } = this.#ports;
    const { tenant } = principal;
    await registry.show(tenant, deviceId);
    const destroyed = statementIn(statement);
    this.#checkChallenge(tenant, deviceId, decodeHex(destroyed.challenge));
    const own = (await certificates.ofDevice(tenant, deviceId)).filter(isLive);
    const certificate = own.find(({ spkiSha256 }) => spkiSha256 === destroyed.spkiSha256);
    if (certificate === undefined) throw refused('key');
    const key = importPublicKey(decodeCertificate(certificate.der).spki.raw);
    if (!verifySignature(defaultAlgorithm(key.kind), key, statement, signature)) throw refused('signature');
    await store.commit([
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'device.key_destroyed',
        subject: deviceId,
        details: {
          key: destroyed.spkiSha256,
          store: destroyed.store,
          certificate: certificate.fingerprint,
          statement: encodeHex(sha256(statement)),
        },
      }),
    ]);
    await revocation.device(principal, deviceId, 'cessationOfOperation');
    return registry.archive(principal, deviceId);
  }

  #challengeOf(tenant: Tenant, deviceId: DeviceId, until: EpochMs): Uint8Array {
    const time = new ByteWriter().u64be(BigInt(until)).finish();
    const bound = concatBytes(time, encodeUtf8(JSON.stringify([tenant, deviceId])));
    return concatBytes(time, hmac('sha256', this.#ports.key, bound).subarray(0, CODE_BYTES));
  }

  #checkChallenge(tenant: Tenant, deviceId: DeviceId, challenge: Uint8Array): void {
    if (challenge.length !== TIME_BYTES + CODE_BYTES) throw refused('challenge');
    const until = Number(new ByteReader(challenge).u64be('time'));
    if (!Number.isSafeInteger(until) || until < this.#ports.clock.now()) throw refused('time');
    if (!timingSafeEqual(challenge, this.#challengeOf(tenant, deviceId, until))) throw refused('challenge');
  }
}

function statementIn(statement: Uint8Array): KeyDestroyed {
  try {
    return parseDestruction(decodeUtf8(statement));
  } catch (cause) {
    throw new HoldfastError('identity.bad_destruction_proof', { reason: 'statement' }, { cause });
  }
}

const refused = (reason: string): HoldfastError => new HoldfastError('identity.bad_destruction_proof', { reason });
