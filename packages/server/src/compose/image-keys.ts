import { createPublicKey } from 'node:crypto';
import type { ImageKey } from '@holdfast/api';
import { type KeyKind, mcubootPublicKey, type SignatureAlgorithm, type Signer } from '@holdfast/crypto';
import { encodeHex, HoldfastError, type Random } from '@holdfast/kernel';
import { type ImageVerdict, ImageSigner, ImageVerifier } from '@holdfast/trust/boot';
import type { ProductRecord, Tenant } from '@holdfast/trust/ports';
import { actorOf, type OperatorPrincipal } from '@holdfast/trust/principal';
import type { SealedKeys } from '@holdfast/trust/storage';
import type { ImageLevel, ProductImages } from '@holdfast/trust/update';
import { parseVersion } from '@holdfast/wire/mcuboot';

/** How each kind of image key is made, and how MCUboot wants it to sign. */
const KINDS: Readonly<Record<ImageKey['kind'], { readonly key: KeyKind; readonly algorithm: SignatureAlgorithm }>> = {
  'ecdsa-p256': { key: 'P-256', algorithm: 'ecdsa-p256-sha256' },
  ed25519: { key: 'ed25519', algorithm: 'ed25519' },
  'rsa-2048': { key: 'rsa-2048', algorithm: 'rsa-pss-sha256' },
  'rsa-3072': { key: 'rsa-3072', algorithm: 'rsa-pss-sha256' },
};

/** The keys images of products are signed with: sealed here, used through a signer only. */
export class ImageKeys implements ProductImages {
  readonly #keys: SealedKeys;
  readonly #random: Random;

  constructor(ports: { readonly keys: SealedKeys; readonly random: Random }) {
    this.#keys = ports.keys;
    this.#random = ports.random;
  }

  /** Makes and seals a key; its id goes into the product. */
  async create(principal: OperatorPrincipal, kind: ImageKey['kind']): Promise<string> {
    const keyId = `image-${kind}-${encodeHex(this.#random.bytes(8))}`;
    await this.#keys.create({ tenant: principal.tenant, keyId, actor: actorOf(principal), kind: KINDS[kind].key });
    return keyId;
  }

  async show(tenant: Tenant, keyId: string): Promise<ImageKey> {
    const { kind, spki } = await this.#find(tenant, keyId);
    const publicKeyPem = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
      .export({ type: 'spki', format: 'pem' })
      .toString();
    return { kind, publicKeyPem, keyHash: encodeHex(mcubootPublicKey(spki).hashes.sha256) };
  }

  async sign(product: ProductRecord, firmware: Uint8Array, as: ImageLevel): Promise<Uint8Array> {
    const { headerSize, slotSize, align } = product.boot;
    const { bytes } = await new ImageSigner({ signer: await this.#signer(product) }).sign('mcuboot', firmware, {
      version: parseVersion(as.version),
      securityCounter: as.counter,
      headerSize,
      padHeader: true,
      slot: { size: slotSize, writeSize: align },
    });
    return bytes;
  }

  async verify(product: ProductRecord, image: Uint8Array, minCounter: number): Promise<ImageVerdict> {
    const { spki } = await this.#find(product.tenant, product.imageKeyId);
    return new ImageVerifier('mcuboot', [spki]).verify(image, { minCounter });
  }

  async trusted({ tenant, imageKeyId }: ProductRecord): Promise<readonly Uint8Array[]> {
    return [(await this.#find(tenant, imageKeyId)).spki];
  }

  async #signer({ tenant, imageKeyId }: ProductRecord): Promise<Signer> {
    const { kind, keyId } = await this.#find(tenant, imageKeyId);
    const signer = await this.#keys.signer(tenant, keyId, KINDS[kind].algorithm);
    if (signer === undefined) throw new HoldfastError('storage.unknown_key', { keyId });
    return signer;
  }

  async #find(tenant: Tenant, keyId: string | undefined) {
    const record = keyId === undefined ? undefined : await this.#keys.find(tenant, keyId);
    if (record === undefined) throw new HoldfastError('storage.unknown_key', { keyId });
    const { kind } = mcubootPublicKey(record.spki);
    if (kind === 'ecdsa-p384') throw new HoldfastError('boot.unsupported_key', { kind });
    return { keyId: record.keyId, spki: record.spki, kind };
  }
}
