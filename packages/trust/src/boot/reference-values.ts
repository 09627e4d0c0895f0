import type { Clock } from '@holdfast/kernel';
import type { ReferenceValue, ReferenceValueRepository, Sha256Hex, Tenant, Write } from '../ports/index.ts';

export interface ReferenceValuePorts {
  readonly clock: Clock;
  readonly referenceValues: ReferenceValueRepository;
}

/** What signed images measure to (RFC 9334 Reference Values); the signing step is the only writer. */
export class ReferenceValues {
  readonly #ports: ReferenceValuePorts;

  constructor(ports: ReferenceValuePorts) {
    this.#ports = ports;
  }

  /** A write of the unit that records the signature or the release. */
  recording(value: Omit<ReferenceValue, 'recordedAt'>): Write {
    return this.#ports.referenceValues.recording({ ...value, recordedAt: this.#ports.clock.now() });
  }

  find(tenant: Tenant, product: string, digest: Sha256Hex): Promise<ReferenceValue | undefined> {
    return this.#ports.referenceValues.find(tenant, product, digest);
  }

  /** A device that shows more than this was not signed for by us. */
  highestCounter(tenant: Tenant, product: string): Promise<number | undefined> {
    return this.#ports.referenceValues.highestCounter(tenant, product);
  }

  /** Newest first. */
  list(tenant: Tenant, product: string, limit = 1000): Promise<readonly ReferenceValue[]> {
    return this.#ports.referenceValues.list(tenant, product, limit);
  }
}
