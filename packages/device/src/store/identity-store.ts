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

interface CertifiedKey {
  readonly deviceId: string;
  readonly keyName: string;
  readonly certificatePem: string;
}

interface IdentityRecord extends CertifiedKey {
  /** The one before a renewal, or the one after, until the server let the device in with one of them. */
  readonly other?: CertifiedKey;
}

const KEY_NAMES = ['identity-a', 'identity-b', 'identity-c'] as const;

interface PendingRecord {
  readonly keyName: string;
  /** For a key the server made: asking again would give another key, for a device that may be registered by now. */
  readonly certificatePem?: string;
}

/**
 * The device's certificate and the name of its key, changed together: a power cut leaves the old pair or the new one.
 *
 * A key made for a request is kept until its certificate is here, so that a repeated request is the same request. The
 * identity before a renewal is kept until the server has let the device in with the new one.
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

  /** @returns undefined before the first enrollment, and when the key of what is kept is gone */
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
    const current = this.#current.load();
    const taken = [current?.keyName, current?.other?.keyName];
    const keyName = KEY_NAMES.find((name) => !taken.includes(name)) ?? KEY_NAMES[0];
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
    const other = before === undefined || before.keyName === keyName ? undefined : keptOf(before);
    this.#current.save({ deviceId: id, keyName, certificatePem, ...(other === undefined ? {} : { other }) });
    this.#pending.clear();
    const forgotten = before?.other?.keyName;
    if (forgotten !== undefined && forgotten !== keyName) await this.#keys.remove(forgotten);
    return { deviceId: id, key, certificatePem, certificate };
  }

  /** The server let the device in: the other identity is over. */
  async confirm(): Promise<void> {
    const current = this.#current.load();
    if (current?.other === undefined) return;
    this.#current.save(keptOf(current));
    await this.#keys.remove(current.other.keyName);
  }

  /** The server refused the device: next time with the other identity, as long as neither was let in. */
  tryOther(): void {
    const current = this.#current.load();
    if (current?.other === undefined) return;
    this.#current.save({ ...current.other, other: keptOf(current) });
  }
}

function keptOf({ deviceId, keyName, certificatePem }: IdentityRecord): CertifiedKey {
  return { deviceId, keyName, certificatePem };
}
