import { generatePrivateKey, sha256 } from '@holdfast/crypto';
import {
  type Clock,
  encodeHex,
  type EpochMs,
  HoldfastError,
  type Log,
  type Timer,
  toHoldfastError,
} from '@holdfast/kernel';
import type { KeyOwnerRepository } from '../ports/index.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { hostName } from './host-names.ts';
import { decodeCredential, encodeCredential, type ServerCredential } from './server-credential.ts';

export interface ServerIdentityPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly keyOwners: Pick<KeyOwnerRepository, 'inserting'>;
  readonly authority: Pick<CertificateAuthority, 'issue' | 'presentedDer' | 'tenant'>;
  readonly keeper?: CredentialKeeper | undefined;
}

/** Holds the last credential, sealed, for a start at which the authority cannot sign. */
export interface CredentialKeeper {
  /** Never rejects. */
  keep(content: Uint8Array): Promise<void>;
  read(): Promise<Uint8Array | undefined>;
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

  /** @throws `identity.ca_unavailable` when the authority cannot sign and no credential in force was kept */
  async start(): Promise<ServerCredential> {
    try {
      const credential = await this.#issue();
      this.#renewLater(credential);
      return credential;
    } catch (error) {
      if (!HoldfastError.is(error, 'identity.ca_unavailable')) throw error;
      const kept = await this.#kept();
      if (kept === undefined) throw error;
      this.#renewLater(kept);
      this.#dueAt = Number.NEGATIVE_INFINITY;
      return kept;
    }
  }

  async #kept(): Promise<ServerCredential | undefined> {
    const content = await this.#ports.keeper?.read();
    if (content === undefined) return undefined;
    const { names, ...credential } = decodeCredential(content);
    const now = this.#ports.clock.now();
    const isInForce = now >= credential.notBefore && now < credential.notAfter;
    return isInForce && names.join() === this.#names.join() ? credential : undefined;
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
    const credential = {
      certificateDer: record.der,
      chainDer: authority.presentedDer,
      privateKey,
      notBefore: record.notBefore,
      notAfter: record.notAfter,
    };
    await this.#ports.keeper?.keep(encodeCredential({ ...credential, names: this.#names }));
    return credential;
  }

  #renewLater(credential: ServerCredential): void {
    const now = this.#ports.clock.now();
    this.#validFrom = credential.notBefore;
    this.#dueAt = now + ((credential.notAfter - now) * 2) / 3;
    // Asked every hour, not once after months: the clock may be set, and timers have an end.
    this.#timer = this.#ports.clock.every(CHECK_MS, () => void this.retry());
  }

  /** Renews now if it is due, as when the authority signs again. Never rejects. */
  async retry(): Promise<void> {
    const now = this.#ports.clock.now();
    // One made while the clock was ahead is good for nobody once the clock was set right.
    if (now < this.#validFrom || now >= this.#dueAt) await this.renew();
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
