import { sha256, type Signer } from '@holdfast/crypto';
import { type Clock, encodeBase64, encodeHex, HoldfastError, type Random } from '@holdfast/kernel';
import type { DsseSignature } from '@holdfast/wire/dsse';
import type { AuditLog, Outbox, Page, PageRequest, ReleaseRecord, Store, Tenant } from '../ports/index.ts';
import { actorOf, type OperatorPrincipal, type SystemPrincipal } from '../principal.ts';
import { manifestPayload } from './manifests.ts';
import {
  hardwareRevisionOf,
  type JudgedImage,
  ReleaseIntake,
  type ReleaseIntakePorts,
  type ReleaseWish,
} from './release-intake.ts';
import type { ReleaseRoots } from './release-roots.ts';
import { retryConflict } from './retry-conflict.ts';

export interface ReleasesPorts extends ReleaseIntakePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly roots: ReleaseRoots;
  /** Signs whole files for agents that know no manifest (FreeRTOS OTA): ECDSA P-256, DER. */
  readonly fileSigner: (tenant: Tenant) => Promise<Signer>;
}

type Actor = OperatorPrincipal | SystemPrincipal;

/** Versions of firmware: checked as a boot loader would, bound to a manifest under the release root, then never changed. */
export class Releases {
  readonly #ports: ReleasesPorts;
  readonly #intake: ReleaseIntake;

  constructor(ports: ReleasesPorts) {
    this.#ports = ports;
    this.#intake = new ReleaseIntake(ports);
  }

  /**
   * Publishes a version of a product's firmware.
   *
   * @param supplied - signatures that root keys kept elsewhere made over `payloadToSign`
   * @throws `update.unknown_product`, `update.unknown_hardware`, `update.version_exists`,
   * `update.counter_below_floor`, `update.counter_below_highest`, `update.unknown_artifact`, `update.image_refused`,
   * `update.image_mismatch`, `update.signatures_missing`
   */
  async create(principal: Actor, wish: ReleaseWish, supplied: readonly DsseSignature[] = []): Promise<ReleaseRecord> {
    const image = await this.#intake.judge(principal.tenant, wish);
    const fileSigner = await this.#ports.fileSigner(principal.tenant);
    const fileSignature = encodeBase64(await fileSigner.sign(image.bytes));
    return retryConflict(async () => {
      const unsigned = await this.#draft(principal, wish, image);
      const manifest = await this.#ports.roots.sign(principal.tenant, manifestPayload(unsigned), supplied);
      const { envelope, signatures, threshold } = manifest;
      const release = { ...unsigned, manifest: envelope, signatures, threshold, fileSignature };
      await this.#commit(release);
      return release;
    });
  }

  /** What root keys kept elsewhere have to sign; it holds until another release of the product is published. */
  async payloadToSign(principal: Actor, wish: ReleaseWish & { readonly signed: true }): Promise<Uint8Array> {
    return manifestPayload(await this.#draft(principal, wish, await this.#intake.judge(principal.tenant, wish)));
  }

  /** @throws `update.unknown_release` */
  async show(tenant: Tenant, releaseId: string): Promise<ReleaseRecord> {
    const release = await this.#ports.releases.find(tenant, releaseId);
    if (release === undefined) throw new HoldfastError('update.unknown_release', { release: releaseId });
    return release;
  }

  list(tenant: Tenant, page: PageRequest): Promise<Page<ReleaseRecord>> {
    return this.#ports.releases.list(tenant, page);
  }

  /** Withdraws a release; its rollouts end on the event. @throws `update.release_cancelled` */
  async cancel(principal: Actor, releaseId: string): Promise<ReleaseRecord> {
    const { tenant } = principal;
    const { audit, outbox, releases, store } = this.#ports;
    const release = await this.show(tenant, releaseId);
    if (release.state !== 'published') throw new HoldfastError('update.release_cancelled', { release: releaseId });
    const about = { product: release.product, version: release.version };
    const actor = actorOf(principal);
    await store.commit([
      releases.cancelling(tenant, releaseId),
      audit.entry({ tenant, actor, action: 'release.cancelled', subject: releaseId, details: about }),
      outbox.event({ tenant, name: 'release.cancelled', subject: releaseId, data: about }),
    ]);
    return { ...release, state: 'cancelled' };
  }

  async #draft(principal: Actor, wish: ReleaseWish, image: JudgedImage): Promise<Omit<ReleaseRecord, SignedPart>> {
    const { clock, random, releases } = this.#ports;
    const { tenant } = principal;
    const { product, artifactId, bytes, proof } = image;
    const releaseId = `re-${encodeHex(random.bytes(10))}`;
    return {
      tenant,
      releaseId,
      product: product.name,
      hardwareRevision: hardwareRevisionOf(product, wish.hardwareRevision),
      version: wish.version,
      counter: wish.counter,
      sequence: (await releases.highestSequence(tenant, product.name)) + 1,
      state: 'published',
      artifactId,
      imageSha256: encodeHex(sha256(bytes)),
      imageLength: bytes.length,
      measurement: proof.digest,
      streamId: `fw-${releaseId}`,
      createdAt: clock.now(),
      createdBy: actorOf(principal),
    };
  }

  /** The reference value comes with the release: what is not published here is not known on a device. */
  async #commit(release: ReleaseRecord): Promise<void> {
    const { audit, outbox, referenceValues, releases, store } = this.#ports;
    const { tenant, releaseId, product, version, counter, hardwareRevision, measurement, imageSha256 } = release;
    // A conflict of the row itself would repeat for ever: a version that came up meanwhile is told as what it is.
    if ((await releases.findByVersion(tenant, product, hardwareRevision, version)) !== undefined) {
      throw new HoldfastError('update.version_exists', { version });
    }
    const details = { product, version, counter, hardwareRevision, imageSha256, signatures: release.signatures };
    await store.commit([
      releases.inserting(release),
      referenceValues.recording({
        tenant,
        product,
        digest: measurement,
        hardwareRevision,
        version,
        counter,
        releaseId,
      }),
      audit.entry({ tenant, actor: release.createdBy, action: 'release.created', subject: releaseId, details }),
      outbox.event({ tenant, name: 'release.created', subject: releaseId, data: { product, version } }),
    ]);
  }
}

type SignedPart = 'manifest' | 'signatures' | 'threshold' | 'fileSignature';
