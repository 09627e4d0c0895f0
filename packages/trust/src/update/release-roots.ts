import {
  defaultAlgorithm,
  importPublicKey,
  keyIdOf,
  type Signer,
  signDsse,
  type TrustedKey,
  verifyDsse,
} from '@holdfast/crypto';
import { type Clock, decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { decodeDsseEnvelope, type DsseEnvelope, type DsseSignature, encodeDsseEnvelope } from '@holdfast/wire/dsse';
import {
  decodeReleaseRoot,
  encodeReleaseRoot,
  MANIFEST_PAYLOAD_TYPE,
  type ReleaseRoot,
  ROOT_PAYLOAD_TYPE,
} from '@holdfast/wire/manifest';
import type { AuditLog, ReleaseRootRepository, Store, Tenant } from '../ports/index.ts';

/** Keys that sign manifests and never images, sealed where they lie. */
export interface ReleaseKeys {
  /** Makes an ECDSA P-256 key for one tenant. */
  create(tenant: Tenant): Promise<{ readonly keyId: string; readonly signer: Signer }>;
  /** @throws `storage.unknown_key`, `storage.key_not_active` */
  signer(tenant: Tenant, keyId: string): Promise<Signer>;
}

export interface ReleaseRootsPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly releaseRoots: ReleaseRootRepository;
  readonly keys: ReleaseKeys;
}

/** The keys and threshold in force, read from their signed document. */
export interface RootInForce {
  readonly root: ReleaseRoot;
  /** JSON text of the signed document, for the factory step. */
  readonly document: string;
  readonly trusted: readonly TrustedKey[];
  readonly localKeyIds: readonly string[];
}

/** A manifest under its signatures, and how many different root keys made them. */
export interface SignedManifest {
  /** JSON text of the DSSE envelope. */
  readonly envelope: string;
  readonly signatures: number;
  readonly threshold: number;
}

/** Who may sign releases. The embedded default is one key of one, kept here; a ceremony can move the keys out. */
export class ReleaseRoots {
  readonly #ports: ReleaseRootsPorts;
  readonly #read = new Map<Tenant, RootInForce>();

  constructor(ports: ReleaseRootsPorts) {
    this.#ports = ports;
  }

  /** The root in force; a tenant that has none gets the embedded default. */
  async ensure(tenant: Tenant): Promise<RootInForce> {
    const { releaseRoots } = this.#ports;
    if ((await releaseRoots.newest(tenant)) === undefined) await this.#createDefault(tenant);
    return this.inForce(tenant);
  }

  /** @throws `update.manifest_refused` when there is none or it is not signed by itself */
  async inForce(tenant: Tenant): Promise<RootInForce> {
    const record = await this.#ports.releaseRoots.newest(tenant);
    if (record === undefined) throw new HoldfastError('update.manifest_refused', { reason: 'no release root' });
    const known = this.#read.get(tenant);
    if (known?.document === record.document) return known;
    const read = { ...readRoot(record.document), document: record.document, localKeyIds: record.localKeyIds };
    this.#read.set(tenant, read);
    return read;
  }

  /**
   * Signs a manifest with every root key kept here and adds signatures made elsewhere.
   *
   * @throws `update.signatures_missing` when they do not reach the threshold
   */
  async sign(tenant: Tenant, payload: Uint8Array, supplied: readonly DsseSignature[] = []): Promise<SignedManifest> {
    const { localKeyIds, root, trusted } = await this.inForce(tenant);
    const signers = await Promise.all(localKeyIds.map((keyId) => this.#ports.keys.signer(tenant, keyId)));
    const local = signers.length === 0 ? [] : await signaturesOf(payload, signers);
    const envelope = { payloadType: MANIFEST_PAYLOAD_TYPE, payload, signatures: [...local, ...supplied] };
    const { threshold } = root;
    const verdict = verifyDsse(envelope, { payloadType: MANIFEST_PAYLOAD_TYPE, keys: trusted, threshold });
    if (verdict.kind !== 'verified') {
      const present = verdict.kind === 'below-threshold' ? verdict.signers.length : 0;
      throw new HoldfastError('update.signatures_missing', { present, threshold });
    }
    const signatures = verdict.signers.length;
    return { envelope: decodeUtf8(encodeDsseEnvelope(envelope)), signatures, threshold };
  }

  /** The payload of an envelope that enough root keys signed. @returns undefined otherwise */
  async open(tenant: Tenant, envelope: DsseEnvelope): Promise<Uint8Array | undefined> {
    const { root, trusted } = await this.inForce(tenant);
    const policy = { payloadType: MANIFEST_PAYLOAD_TYPE, keys: trusted, threshold: root.threshold };
    const verdict = verifyDsse(envelope, policy);
    return verdict.kind === 'verified' ? verdict.payload : undefined;
  }

  async #createDefault(tenant: Tenant): Promise<void> {
    const { audit, clock, keys, releaseRoots, store } = this.#ports;
    const { keyId, signer } = await keys.create(tenant);
    const payload = encodeReleaseRoot({ version: 1, threshold: 1, keys: [signer.publicKeySpki] });
    const document = decodeUtf8(await signDsse(ROOT_PAYLOAD_TYPE, payload, [signer]));
    const details = { version: 1, threshold: 1, key: keyIdOf(signer.publicKeySpki) };
    const root = { tenant, version: 1, document, localKeyIds: [keyId], createdAt: clock.now() };
    await store.commit([
      releaseRoots.inserting(root),
      audit.entry({ tenant, actor: 'system', action: 'release_root.created', subject: 'release-root', details }),
    ]);
  }
}

async function signaturesOf(payload: Uint8Array, signers: readonly Signer[]): Promise<readonly DsseSignature[]> {
  return decodeDsseEnvelope(await signDsse(MANIFEST_PAYLOAD_TYPE, payload, signers)).signatures;
}

function readRoot(document: string): { readonly root: ReleaseRoot; readonly trusted: readonly TrustedKey[] } {
  const envelope = decodeDsseEnvelope(encodeUtf8(document));
  const root = decodeReleaseRoot(envelope.payload);
  const trusted = root.keys.map((spki) => {
    const publicKey = importPublicKey(spki);
    return { publicKey, algorithm: defaultAlgorithm(publicKey.kind) };
  });
  const policy = { payloadType: ROOT_PAYLOAD_TYPE, keys: trusted, threshold: root.threshold };
  if (verifyDsse(envelope, policy).kind !== 'verified') {
    throw new HoldfastError('update.manifest_refused', { reason: 'the release root is not signed by itself' });
  }
  return { root, trusted };
}
