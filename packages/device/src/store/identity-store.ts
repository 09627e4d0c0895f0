import { HoldfastError } from '@holdfast/kernel';
import type { PrivateKey } from '@holdfast/crypto';
import { decodePem } from '@holdfast/wire/pem';
import { attributeTexts, type Certificate, decodeCertificate, OID } from '@holdfast/wire/x509';
import type { DeviceStore } from './device-store.ts';
import { JsonRecord } from './json-record.ts';
import type { DeviceKey, KeyStore } from '../keys/key-store.ts';

/** What the device shows to the server. */
export interface DeviceIdentity {
  /** Thing name; also the MQTT client id. */
  readonly deviceId: string;
  readonly key: DeviceKey;
  /** The leaf alone. */
  readonly certificatePem: string;
  readonly certificate: Certificate;
}

interface IdentityRecord {
  readonly deviceId: string;
  readonly keyName: string;
  readonly certificatePem: string;
}

interface PendingRecord {
  readonly keyName: string;
  /** For a key the server made: asking again would give another key, for a device that may be registered by now. */
  readonly certificatePem?: string;
}

/**
 * The device's certificate and the name of its key, changed together: a power cut leaves the old pair or the new one.
 *
 * A key made for a request is kept until its certificate is here, so that a repeated request is the same request.
 */
export class IdentityStore {
  readonly #keys: KeyStore;
  readonly #current: JsonRecord<IdentityRecord>;
  readonly #pending: JsonRecord<PendingRecord>;

  constructor(store: DeviceStore, keys: KeyStore) {
    this.#keys = keys;
    this.#current = new JsonRecord(store, 'identity.json');
    this.#pending = new JsonRecord(store, 'identity-pending.json');
  }

  async load(): Promise<DeviceIdentity | undefined> {
    const record = this.#current.load();
    const key = record === undefined ? undefined : await this.#keys.load(record.keyName);
    if (record === undefined || key === undefined) return undefined;
    const { deviceId, certificatePem } = record;
    return { deviceId, key, certificatePem, certificate: decodeCertificate(decodePem(certificatePem, 'CERTIFICATE')) };
  }

  /** The key of the request under way, made on first use. */
  async pendingKey(): Promise<DeviceKey> {
    const pending = this.#pending.load();
    const kept = pending === undefined ? undefined : await this.#keys.load(pending.keyName);
    if (kept !== undefined) return kept;
    const keyName = this.#current.load()?.keyName === 'identity-a' ? 'identity-b' : 'identity-a';
    const key = await this.#keys.create(keyName);
    this.#pending.save({ keyName });
    return key;
  }

  /** Takes a key the server made in place of the pending one, with the certificate issued for it. */
  async replacePendingKey(key: PrivateKey, certificatePem: string): Promise<void> {
    await this.pendingKey();
    const pending = this.#pending.load();
    if (pending === undefined) return;
    const { keyName } = pending;
    // Forgotten first: a certificate must never lie beside another key.
    this.#pending.save({ keyName });
    await this.#keys.put(keyName, key);
    this.#pending.save({ keyName, certificatePem });
  }

  /** PEM of what an earlier request got and could not register, or did not hear that it was registered. */
  pendingCertificate(): string | undefined {
    return this.#pending.load()?.certificatePem;
  }

  /**
   * Makes the pending key and its certificate the identity.
   *
   * @param deviceId - thing name; the certificate's common name unless given
   * @throws `device.enrollment_rejected` when the certificate is for another key
   */
  async adopt(certificatePem: string, deviceId?: string): Promise<DeviceIdentity> {
    const key = await this.pendingKey();
    const keyName = this.#pending.load()?.keyName ?? '';
    const certificate = decodeCertificate(decodePem(certificatePem, 'CERTIFICATE'));
    if (!Buffer.from(certificate.spki.raw).equals(key.publicKey.spki)) {
      throw new HoldfastError('device.enrollment_rejected', { reason: 'certificate for another key' });
    }
    const id = deviceId ?? attributeTexts(certificate.subject, OID.commonName)[0] ?? '';
    if (id === '') throw new HoldfastError('device.enrollment_rejected', { reason: 'certificate without name' });
    const before = this.#current.load();
    this.#current.save({ deviceId: id, keyName, certificatePem });
    this.#pending.clear();
    if (before !== undefined && before.keyName !== keyName) await this.#keys.remove(before.keyName);
    return { deviceId: id, key, certificatePem, certificate };
  }
}
