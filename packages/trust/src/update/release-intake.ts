import { HoldfastError } from '@holdfast/kernel';
import type { AcceptedImage, ImageVerdict, ReferenceValues } from '../boot/index.ts';
import type { ProductRecord, ProductRepository, ReleaseRepository, Tenant } from '../ports/index.ts';
import type { ArtifactFiles } from './artifact-access.ts';

/** What the boot room does with a product's images. */
export interface ProductImages {
  /** Judges a signed image as the product's boot loader would, with the counter floor given. */
  verify(product: ProductRecord, image: Uint8Array, minCounter: number): Promise<ImageVerdict>;
  /** Signs raw firmware with the product's image key. */
  sign(product: ProductRecord, firmware: Uint8Array, as: ImageLevel): Promise<Uint8Array>;
}

export interface ImageLevel {
  readonly version: string;
  readonly counter: number;
}

/** The stored images, for reading and for what was signed here. */
export interface ReleaseFiles extends ArtifactFiles {
  /** Stores a whole image and gives its artifact id. */
  store(tenant: Tenant, image: Uint8Array): Promise<string>;
}

export interface ReleaseWish extends ImageLevel {
  readonly product: string;
  /** May be left out when the product has one. */
  readonly hardwareRevision: string | undefined;
  readonly artifactId: string;
  /** `false`: the artifact is raw firmware that is signed here with the product's image key. */
  readonly signed: boolean;
}

export interface ReleaseIntakePorts {
  readonly releases: ReleaseRepository;
  readonly products: ProductRepository;
  readonly referenceValues: ReferenceValues;
  readonly images: ProductImages;
  readonly files: ReleaseFiles;
}

const MAX_IMAGE = 64 * 1024 * 1024;

export interface JudgedImage {
  readonly product: ProductRecord;
  readonly artifactId: string;
  readonly bytes: Uint8Array;
  readonly proof: AcceptedImage;
}

/** What must hold before a version is published. */
export class ReleaseIntake {
  readonly #ports: ReleaseIntakePorts;

  constructor(ports: ReleaseIntakePorts) {
    this.#ports = ports;
  }

  /**
   * The image of a release that may be published, judged as its boot loader would.
   *
   * @throws as `Releases.create`
   */
  async judge(tenant: Tenant, wish: ReleaseWish): Promise<JudgedImage> {
    const { images, files } = this.#ports;
    const product = await this.#check(tenant, wish);
    const given = await this.#read(tenant, wish.artifactId);
    const bytes = wish.signed ? given : await images.sign(product, given, wish);
    const proof = await images.verify(product, bytes, product.minimumCounter);
    if (proof.kind === 'refused') throw new HoldfastError('update.image_refused', { code: proof.code });
    if (proof.version !== wish.version || proof.securityCounter !== wish.counter) {
      throw new HoldfastError('update.image_mismatch', { version: proof.version, counter: proof.securityCounter });
    }
    if (bytes.length > product.boot.slotSize) {
      throw new HoldfastError('update.image_refused', { size: bytes.length, slot: product.boot.slotSize });
    }
    const known = await this.#ports.referenceValues.find(tenant, product.name, proof.digest);
    if (known !== undefined && known.hardwareRevision !== hardwareRevisionOf(product, wish.hardwareRevision)) {
      throw new HoldfastError('update.image_reused', { hardwareRevision: known.hardwareRevision });
    }
    const artifactId = wish.signed ? wish.artifactId : await files.store(tenant, bytes);
    return { product, artifactId, bytes, proof };
  }

  /** What is known before the image is read. */
  async #check(tenant: Tenant, wish: ReleaseWish): Promise<ProductRecord> {
    const { products, releases } = this.#ports;
    const { version, counter } = wish;
    const product = await products.find(tenant, wish.product);
    if (product === undefined) throw new HoldfastError('update.unknown_product', { product: wish.product });
    const revision = hardwareRevisionOf(product, wish.hardwareRevision);
    if ((await releases.findByVersion(tenant, product.name, revision, version)) !== undefined) {
      throw new HoldfastError('update.version_exists', { version });
    }
    const floor = product.minimumCounter;
    if (counter < floor) throw new HoldfastError('update.counter_below_floor', { counter, floor });
    const highest = (await releases.highestCounter(tenant, product.name, revision)) ?? 0;
    if (counter < highest) throw new HoldfastError('update.counter_below_highest', { counter, highest });
    return product;
  }

  async #read(tenant: Tenant, artifactId: string): Promise<Uint8Array> {
    const file = await this.#ports.files.open(tenant, artifactId);
    if (file === undefined) throw new HoldfastError('update.unknown_artifact', { artifact: artifactId });
    try {
      if (file.size > MAX_IMAGE) throw new HoldfastError('update.image_refused', { size: file.size, limit: MAX_IMAGE });
      return await file.read({ start: 0, end: file.size });
    } finally {
      await file.close();
    }
  }
}

/** @throws `update.unknown_hardware` */
export function hardwareRevisionOf(product: ProductRecord, asked: string | undefined): string {
  const { hardwareRevisions } = product;
  const [only] = hardwareRevisions;
  const revision = asked ?? (hardwareRevisions.length === 1 ? only : undefined);
  if (revision === undefined || !hardwareRevisions.includes(revision)) {
    throw new HoldfastError('update.unknown_hardware', { revisions: hardwareRevisions.length });
  }
  return revision;
}
