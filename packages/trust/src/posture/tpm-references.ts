import { type Clock, HoldfastError } from '@holdfast/kernel';
import type {
  AuditLog,
  ProductRecord,
  ProductRepository,
  Store,
  Tenant,
  TpmReference,
  TpmRepository,
} from '../ports/index.ts';
import { isVersion } from '../boot/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';

export interface TpmReferencesPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly tpms: TpmRepository;
}

/** Records what the registers of a product's gateways hold, as read from one that is known to be good. */
export class TpmReferences {
  readonly #ports: TpmReferencesPorts;

  constructor(ports: TpmReferencesPorts) {
    this.#ports = ports;
  }

  /** @throws `identity.unknown_product`, `request.invalid` for a hardware revision or version the product cannot have */
  async record(
    operator: OperatorPrincipal,
    wish: Pick<TpmReference, 'product' | 'version' | 'hardwareRevision' | 'counter' | 'pcrs'>,
  ): Promise<TpmReference> {
    const { clock, store, audit, products, tpms } = this.#ports;
    const { tenant } = operator;
    const product = await demandProduct(products, tenant, wish.product);
    if (!product.hardwareRevisions.includes(wish.hardwareRevision)) {
      throw new HoldfastError('request.invalid', { field: 'hardwareRevision' });
    }
    if (!isVersion(wish.version)) throw new HoldfastError('request.invalid', { field: 'version' });
    const reference = { ...wish, tenant, recordedAt: clock.now(), recordedBy: actorOf(operator) };
    await store.commit([
      tpms.recording(reference),
      audit.entry({
        tenant,
        actor: reference.recordedBy,
        action: 'tpm.reference_recorded',
        subject: wish.product,
        details: {
          version: wish.version,
          hardwareRevision: wish.hardwareRevision,
          registers: Object.keys(wish.pcrs).join(' '),
        },
      }),
    ]);
    return reference;
  }

  /** @throws `identity.unknown_product` */
  async list(tenant: Tenant, product: string): Promise<readonly TpmReference[]> {
    await demandProduct(this.#ports.products, tenant, product);
    return this.#ports.tpms.references(tenant, product);
  }
}

async function demandProduct(
  products: Pick<ProductRepository, 'find'>,
  tenant: Tenant,
  name: string,
): Promise<ProductRecord> {
  const product = await products.find(tenant, name);
  if (!product) throw new HoldfastError('identity.unknown_product', { product: name });
  return product;
}
