import {
  decodeHex,
  encodeCanonicalJson,
  encodeHex,
  encodeUtf8,
  type ErrorCode,
  HoldfastError,
  type JsonValue,
} from '@holdfast/kernel';
import { decodeDsseEnvelope } from '@holdfast/wire/dsse';
import { decodeReleaseManifest, encodeReleaseManifest, type ReleaseManifest } from '@holdfast/wire/manifest';
import type { ReleaseRecord, Tenant } from '../ports/index.ts';
import type { ManifestJudge } from './job-documents.ts';
import type { ReleaseRoots } from './release-roots.ts';

/** What a manifest states of a release. */
export type Released = Pick<
  ReleaseRecord,
  'tenant' | 'product' | 'hardwareRevision' | 'version' | 'counter' | 'sequence' | 'imageSha256' | 'imageLength'
>;

/** The bytes root keys sign for a release. @throws `wire.malformed` for a value no manifest can hold */
export function manifestPayload(release: Released): Uint8Array<ArrayBuffer> {
  return encodeReleaseManifest({
    tenant: release.tenant,
    product: release.product,
    hardwareRevision: release.hardwareRevision,
    version: release.version,
    securityCounter: release.counter,
    imageSha256: decodeHex(release.imageSha256),
    length: release.imageLength,
    sequence: release.sequence,
  });
}

const KEPT = 64;

/** Holds what is stored of a release against its signed manifest, every time it is given out. */
export class Manifests implements ManifestJudge {
  readonly #roots: ReleaseRoots;
  /** Opened envelopes by root document and text: a signature holds or not for ever. */
  readonly #opened = new Map<string, ReleaseManifest>();

  constructor(ports: { readonly roots: ReleaseRoots }) {
    this.#roots = ports.roots;
  }

  async refusalOf(release: ReleaseRecord, manifest: JsonValue): Promise<ErrorCode | undefined> {
    try {
      const signed = await this.#open(release.tenant, manifest);
      return signed !== undefined && states(signed, release) ? undefined : 'update.manifest_refused';
    } catch (error) {
      if (!HoldfastError.is(error) || error.spec.retry) throw error;
      return 'update.manifest_refused';
    }
  }

  async #open(tenant: Tenant, manifest: JsonValue): Promise<ReleaseManifest | undefined> {
    const text = encodeCanonicalJson(manifest);
    const key = `${(await this.#roots.inForce(tenant)).document}\n${text}`;
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const payload = await this.#roots.open(tenant, decodeDsseEnvelope(encodeUtf8(text)));
    if (payload === undefined) return undefined;
    const opened = decodeReleaseManifest(payload);
    if (this.#opened.size >= KEPT) this.#opened.clear();
    this.#opened.set(key, opened);
    return opened;
  }
}

function states(signed: ReleaseManifest, release: ReleaseRecord): boolean {
  return (
    signed.tenant === release.tenant &&
    signed.product === release.product &&
    signed.hardwareRevision === release.hardwareRevision &&
    signed.version === release.version &&
    signed.securityCounter === release.counter &&
    signed.sequence === release.sequence &&
    signed.length === release.imageLength &&
    encodeHex(signed.imageSha256) === release.imageSha256
  );
}
