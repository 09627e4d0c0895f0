import type { ImageKey, TrustAnchors } from '@holdfast/api';
import type { ProductPolicy } from '@holdfast/trust/boot';
import type { ProductRecord, Tenant } from '@holdfast/trust/ports';
import type { OperatorPrincipal } from '@holdfast/trust/principal';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';
import { viewProduct } from './views.ts';

export interface ProductHandlerPorts {
  readonly products: ProductPolicy;
  readonly imageKeys: {
    /** Makes and seals an image key; its id goes into the product. */
    create(principal: OperatorPrincipal, kind: ImageKey['kind']): Promise<string>;
    show(tenant: Tenant, keyId: string): Promise<ImageKey>;
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
  | 'products.preview-minimum'
  | 'products.raise-minimum'
  | 'trust-anchors.show';

export function productHandlers(ports: ProductHandlerPorts): Pick<ManagementHandlers, ProductOperation> {
  const { products, imageKeys } = ports;
  const viewOf = async (product: ProductRecord) =>
    viewProduct(
      product,
      product.imageKeyId === undefined ? undefined : await imageKeys.show(product.tenant, product.imageKeyId),
    );

  return {
    'products.create': async ({ body }, { principal }) => {
      const { imageKeyKind, ...wish } = body;
      const imageKeyId = await imageKeys.create(principal, imageKeyKind);
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

function minimumOf(body: { readonly version?: string | undefined; readonly securityCounter?: number | undefined }) {
  return { version: body.version, counter: body.securityCounter };
}
