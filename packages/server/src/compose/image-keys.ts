import { createPublicKey } from 'node:crypto';
import type { ImageKey } from '@holdfast/api';
import { type KeyKind, mcubootPublicKey, type SignatureAlgorithm, type Signer } from '@holdfast/crypto';
import { encodeHex, HoldfastError, type Random } from '@holdfast/kernel';
import { type ImageVerdict, ImageSigner, ImageVerifier, type KeySets } from '@holdfast/trust/boot';
import type { KeyEngine, ProductRecord, Tenant } from '@holdfast/trust/ports';
import { actorOf, type OperatorPrincipal } from '@holdfast/trust/principal';
import type { SealedKeys } from '@holdfast/trust/storage';
import type { ImageLevel, ProductImages } from '@holdfast/trust/update';
import { parseVersion } from '@holdfast/wire/mcuboot';
import { givenOverNetwork } from '../engines/keys/key-reference.ts';

/** How each kind of image key is made, and how MCUboot wants it to sign. */
const KINDS: Readonly<Record<ImageKey['kind'], { readonly key: KeyKind; readonly algorithm: SignatureAlgorithm }>> = {
  'ecdsa-p256': { key: 'P-256', algorithm: 'ecdsa-p256-sha256' },
  ed25519: { key: 'ed25519', algorithm: 'ed25519' },
  'rsa-2048': { key: 'rsa-2048', algorithm: 'rsa-pss-sha256' },
  'rsa-3072': { key: 'rsa-3072', algorithm: 'rsa-pss-sha256' },
};

/** The keys images of products are signed with: sealed here or in a token or service, used through a signer only. */
export class ImageKeys implements ProductImages {
  readonly #keys: SealedKeys;
  readonly #engines: Pick<KeyEngine, 'describe'>;
  readonly #random: Random;
  readonly #sets: Pick<KeySets, 'trusted'>;

  constructor(ports: {
    readonly keys: SealedKeys;
    readonly engines: Pick<KeyEngine, 'describe'>;
    readonly random: Random;
    readonly sets: Pick<KeySets, 'trusted'>;
  }) {
    this.#sets = ports.sets;
    this.#keys = ports.keys;
    this.#random = ports.random;
    this.#engines = ports.engines;
  }

  /**
   * Makes and seals a key, or takes in the one of a reference; its id goes into the product.
   *
   * @throws as `KeyEngine`; `boot.unsupported_key` for one that images are not signed with
   */
  async create(principal: OperatorPrincipal, wish: ImageKey['kind'], reference?: string): Promise<string> {
    const kind = reference === undefined ? wish : await this.#kindOf(reference);
    const keyId = `image-${kind}-${encodeHex(this.#random.bytes(8))}`;
    const { tenant } = principal;
    await this.#keys.create({ tenant, keyId, actor: actorOf(principal), kind: KINDS[kind].key, reference });
    return keyId;
  }

  async #kindOf(reference: string): Promise<ImageKey['kind']> {
    const { kind } = mcubootPublicKey(await this.#engines.describe(givenOverNetwork(reference)));
    if (kind === 'ecdsa-p384') throw new HoldfastError('boot.unsupported_key', { kind });
    return kind;
  }

  async show(tenant: Tenant, keyId: string): Promise<ImageKey> {
    const { kind, spki } = await this.#find(tenant, keyId);
    const publicKeyPem = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
      .export({ type: 'spki', format: 'pem' })
      .toString();
    return { kind, publicKeyPem, keyHash: encodeHex(mcubootPublicKey(spki).hashes.sha256) };
  }

  /** SubjectPublicKeyInfo. @throws `storage.unknown_key` */
  async spkiOf(tenant: Tenant, keyId: string): Promise<Uint8Array> {
    return (await this.#find(tenant, keyId)).spki;
  }

  /** @throws `boot.private_key_needed` for a product whose active key is kept elsewhere: its images come in signed */
  async sign(product: ProductRecord, firmware: Uint8Array, as: ImageLevel): Promise<Uint8Array> {
    if (product.imageKeyId === undefined) throw new HoldfastError('boot.private_key_needed', { product: product.name });
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
    return new ImageVerifier('mcuboot', await this.#sets.trusted(product)).verify(image, { minCounter });
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
