import type { ImageKey, ProductKey, TrustAnchors } from '@holdfast/api';
import { importPublicKeyPem, mcubootPublicKey } from '@holdfast/crypto';
import { encodeHex, formatRfc3339 } from '@holdfast/kernel';
import type { KeySets, ProductPolicy } from '@holdfast/trust/boot';
import type { ImageKeyRecord, ProductRecord, Tenant } from '@holdfast/trust/ports';
import type { OperatorPrincipal } from '@holdfast/trust/principal';
import { encodePem } from '@holdfast/wire/pem';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';
import { viewProduct } from './views.ts';

export interface ProductHandlerPorts {
  readonly products: ProductPolicy;
  readonly keySets: KeySets;
  readonly imageKeys: {
    /** Makes and seals an image key, or takes in the one of a reference; its id goes into the product. */
    create(principal: OperatorPrincipal, kind: ImageKey['kind'], reference?: string): Promise<string>;
    show(tenant: Tenant, keyId: string): Promise<ImageKey>;
    /** @throws `storage.unknown_key` */
    spkiOf(tenant: Tenant, keyId: string): Promise<Uint8Array>;
  };
  readonly trustAnchors: (product: ProductRecord) => Promise<TrustAnchors>;
}

type ProductOperation =
  | 'products.create'
  | 'products.list'
  | 'products.show'
  | 'products.set-evidence'
  | 'products.set-enrollment'
  | 'products.set-chip'
  | 'products.keys'
  | 'products.add-key'
  | 'products.rotate-key'
  | 'products.revoke-key'
  | 'products.preview-minimum'
  | 'products.raise-minimum'
  | 'trust-anchors.show';

export function productHandlers(ports: ProductHandlerPorts): Pick<ManagementHandlers, ProductOperation> {
  const { products, imageKeys, keySets } = ports;
  const viewOf = async (product: ProductRecord) =>
    viewProduct(
      product,
      product.imageKeyId === undefined ? undefined : await imageKeys.show(product.tenant, product.imageKeyId),
    );

  return {
    'products.create': async ({ body }, { principal }) => {
      const { imageKeyKind, imageKeyReference, ...wish } = body;
      const imageKeyId = await imageKeys.create(principal, imageKeyKind, imageKeyReference);
      return viewOf(await products.create(principal, { ...wish, imageKeyId }));
    },
    'products.list': async ({ query }, { principal }) => {
      const page = await products.list(principal.tenant, query);
      return pageOf(await Promise.all(page.rows.map(viewOf)), page.next);
    },
    'products.show': async ({ product }, { principal }) => viewOf(await products.show(principal.tenant, product)),
    'products.set-evidence': async ({ product, body }, { principal }) =>
      viewOf(await products.setEvidence(principal, product, body)),
    'products.set-enrollment': async ({ product, body }, { principal }) =>
      viewOf(await products.setEnrollment(principal, product, body)),
    'products.set-chip': async ({ product, body }, { principal }) =>
      viewOf(await products.setChip(principal, product, body)),
    'products.keys': async ({ product }, { principal }) => {
      const keys = await keySets.list(await products.show(principal.tenant, product));
      return { rows: keys.map(viewKey) };
    },
    'products.add-key': async ({ product, body }, { principal }) => {
      if (body.publicKeyPem !== undefined) {
        const { spki } = importPublicKeyPem(body.publicKeyPem);
        return viewKey(await keySets.add(principal, product, { custody: 'offline', spki }));
      }
      // An unknown product must leave no key behind.
      await products.show(principal.tenant, product);
      const keyId = await imageKeys.create(principal, body.kind ?? 'ecdsa-p256');
      const spki = await imageKeys.spkiOf(principal.tenant, keyId);
      return viewKey(await keySets.add(principal, product, { custody: 'sealed', keyId, spki }));
    },
    'products.rotate-key': async ({ product, body: { key: keyId, ...wish } }, { principal }) =>
      viewKey(await keySets.rotate(principal, product, { ...wish, keyId })),
    'products.revoke-key': async ({ product, key, body }, { principal }) =>
      viewKey(await keySets.revoke(principal, product, { keyId: key, reason: body.reason })),
    'products.preview-minimum': async ({ product, body }, { principal }) => {
      const preview = await products.previewMinimum(principal.tenant, product, minimumOf(body));
      return { restricts: preview.restricts, devices: [...preview.devices] };
    },
    'products.raise-minimum': async ({ product, body }, { principal }) => {
      const raised = await products.raiseMinimum(principal, product, { ...minimumOf(body), reason: body.reason });
      return viewOf(raised.product);
    },
    'trust-anchors.show': async ({ product }, { principal }) =>
      ports.trustAnchors(await products.show(principal.tenant, product)),
  };
}

function viewKey({ keyId, slot, state, custody, spki, addedAt }: ImageKeyRecord): ProductKey {
  const keyHash = encodeHex(mcubootPublicKey(spki).hashes.sha256);
  return {
    id: keyId,
    slot,
    state,
    custody,
    publicKeyPem: encodePem('PUBLIC KEY', spki),
    keyHash,
    addedAt: formatRfc3339(addedAt),
  };
}

function minimumOf(body: { readonly version?: string | undefined; readonly securityCounter?: number | undefined }) {
  return { version: body.version, counter: body.securityCounter };
}
