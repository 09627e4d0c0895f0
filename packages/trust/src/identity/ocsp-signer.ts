import { createSigner, generatePrivateKey, type Signer, sha256 } from '@holdfast/crypto';
import {
  type Clock,
  encodeHex,
  type EpochMs,
  HoldfastError,
  type Log,
  type Timer,
  toHoldfastError,
} from '@holdfast/kernel';
import { type Certificate, decodeCertificate } from '@holdfast/wire/x509';
import type { KeyOwnerRepository } from '../ports/index.ts';
import type { CertificateAuthority } from './certificate-authority.ts';

export interface OcspSignerPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly keyOwners: Pick<KeyOwnerRepository, 'inserting'>;
  readonly authority: Pick<CertificateAuthority, 'issue' | 'tenant'>;
}

/** `half-life-passed`: it should have been renewed and was not. */
export type OcspSignerHealth = 'fresh' | 'half-life-passed' | 'expired' | 'absent';

interface Delegate {
  readonly certificate: Certificate;
  readonly signer: Signer;
  readonly since: EpochMs;
}

const SUBJECT = 'ocsp';
const CHECK_MS = 3_600_000;

/**
 * The key that signs OCSP answers in the authority's name (RFC 6960 4.2.2.2). It lives in memory alone and nobody can
 * revoke its certificate for those who read it, so both are short-lived: renewed with a fresh key at half life.
 */
export class OcspSigner {
  readonly #ports: OcspSignerPorts;
  #delegate: Delegate | undefined;
  #timer: Timer | undefined;
  #renewing: Promise<void> | undefined;

  constructor(ports: OcspSignerPorts) {
    this.#ports = ports;
  }

  /** Never rejects: without a signer everything but OCSP works, and `health` says so. */
  async start(): Promise<void> {
    await this.#renew();
    this.#timer = this.#ports.clock.every(CHECK_MS, () => {
      void this.retry();
    });
  }

  /** Renews now what is due, as when the authority's key signs again. Never rejects. */
  async retry(): Promise<void> {
    if (this.health() !== 'fresh') await this.#renew();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#renewing;
  }

  health(): OcspSignerHealth {
    if (this.#delegate === undefined) return 'absent';
    const { certificate, since } = this.#delegate;
    const { notAfter, notBefore } = certificate.validity;
    const now = this.#ports.clock.now();
    // One made while the clock was ahead is good for nobody once the clock was set right.
    if (now >= notAfter || now < notBefore) return 'expired';
    return now >= since + (notAfter - since) / 2 ? 'half-life-passed' : 'fresh';
  }

  /** @throws `identity.ca_unavailable` while there is no certificate in force */
  current(): { readonly certificate: Certificate; readonly signer: Signer } {
    const health = this.health();
    if (this.#delegate === undefined || health === 'expired') throw new HoldfastError('identity.ca_unavailable');
    return this.#delegate;
  }

  #renew(): Promise<void> {
    this.#renewing ??= this.#issue()
      .catch((error: unknown) => {
        this.#ports.log.error('ocsp signer not renewed', { code: toHoldfastError(error).code });
      })
      .finally(() => {
        this.#renewing = undefined;
      });
    return this.#renewing;
  }

  async #issue(): Promise<void> {
    const { authority, clock, keyOwners } = this.#ports;
    const key = await generatePrivateKey('P-256');
    const spkiSha256 = encodeHex(sha256(key.publicKey.spki));
    const since = clock.now();
    const record = await authority.issue(
      {
        profile: 'ocsp-signer',
        publicKey: key.publicKey,
        commonName: 'OCSP responder',
        names: [],
        state: 'active',
        subjectId: SUBJECT,
        claimId: undefined,
        keyOrigin: 'server',
        door: 'local',
        actor: 'system',
      },
      ({ tenant }) => [keyOwners.inserting({ spkiSha256, tenant, kind: 'server', id: SUBJECT })],
    );
    this.#delegate = { certificate: decodeCertificate(record.der), signer: createSigner(key), since };
  }
}
