import { generatePrivateKey, type PrivateKey, sha256 } from '@holdfast/crypto';
import { type Clock, encodeHex, type EpochMs, type Log, type Timer, toHoldfastError } from '@holdfast/kernel';
import type { KeyOwnerRepository } from '../ports/index.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { hostName } from './host-names.ts';

export interface ServerIdentityPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly keyOwners: Pick<KeyOwnerRepository, 'inserting'>;
  readonly authority: Pick<CertificateAuthority, 'issue' | 'presentedDer' | 'tenant'>;
}

/** What a TLS listener shows. */
export interface ServerCredential {
  readonly certificateDer: Uint8Array;
  /** Issuers up to, and without, the root. */
  readonly chainDer: readonly Uint8Array[];
  readonly privateKey: PrivateKey;
  readonly notBefore: EpochMs;
  readonly notAfter: EpochMs;
}

const ALWAYS = ['localhost', '127.0.0.1', '::1'];
const CHECK_MS = 3_600_000;

/** The server's own certificate, renewed at two thirds of its life with a fresh key and without a restart. */
export class ServerIdentity {
  readonly #ports: ServerIdentityPorts;
  readonly #names: readonly string[];
  readonly #listeners = new Set<(credential: ServerCredential) => void>();
  #timer: Timer | undefined;
  #validFrom: EpochMs = Number.NEGATIVE_INFINITY;
  #dueAt: EpochMs = Number.POSITIVE_INFINITY;
  #renewing: Promise<void> | undefined;

  /** @param names - host names and addresses besides localhost */
  constructor(ports: ServerIdentityPorts, names: readonly string[]) {
    this.#ports = ports;
    this.#names = [...new Set([...ALWAYS, ...names])];
  }

  async start(): Promise<ServerCredential> {
    const credential = await this.#issue();
    this.#renewLater(credential);
    return credential;
  }

  close(): void {
    this.#timer?.cancel();
    this.#listeners.clear();
  }

  /** Called with every renewed credential. */
  onRenewed(listener: (credential: ServerCredential) => void): void {
    this.#listeners.add(listener);
  }

  async #issue(): Promise<ServerCredential> {
    const { authority, keyOwners } = this.#ports;
    const privateKey = await generatePrivateKey('P-256');
    const spkiSha256 = encodeHex(sha256(privateKey.publicKey.spki));
    const [first = 'localhost'] = this.#names.slice(ALWAYS.length);
    const record = await authority.issue(
      {
        profile: 'server',
        publicKey: privateKey.publicKey,
        commonName: first.slice(0, 64),
        names: this.#names.map(hostName),
        state: 'active',
        subjectId: first,
        claimId: undefined,
        keyOrigin: 'server',
        door: 'local',
        actor: 'system',
      },
      ({ tenant }) => [keyOwners.inserting({ spkiSha256, tenant, kind: 'server', id: first })],
    );
    return {
      certificateDer: record.der,
      chainDer: authority.presentedDer,
      privateKey,
      notBefore: record.notBefore,
      notAfter: record.notAfter,
    };
  }

  #renewLater(credential: ServerCredential): void {
    const now = this.#ports.clock.now();
    this.#validFrom = credential.notBefore;
    this.#dueAt = now + ((credential.notAfter - now) * 2) / 3;
    this.#timer = this.#ports.clock.every(CHECK_MS, () => this.#renewWhenDue());
  }

  /** Asked every hour, not once after months: the clock may be set, and timers have an end. */
  #renewWhenDue(): void {
    const now = this.#ports.clock.now();
    // One made while the clock was ahead is good for nobody once the clock was set right.
    if (now < this.#validFrom || now >= this.#dueAt) void this.renew();
  }

  /** Makes a new certificate now, as when its issuers changed. Never rejects. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    try {
      const credential = await this.#issue();
      this.#timer?.cancel();
      this.#renewLater(credential);
      for (const listener of this.#listeners) listener(credential);
    } catch (error) {
      this.#ports.log.error('server certificate not renewed', { code: toHoldfastError(error).code });
    }
  }
}
