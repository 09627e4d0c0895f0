import type { DeviceId, Presence, Tenant } from '@holdfast/trust/ports';

export interface PresenceChange {
  readonly kind: 'connected' | 'disconnected';
  readonly presence: Presence;
}

export type PresenceListener = (change: PresenceChange) => void;

/** Which devices are connected now; in memory, because it is over when the process is. */
export class PresenceBoard {
  readonly #byDevice = new Map<string, Map<string, Presence>>();
  readonly #listeners = new Set<PresenceListener>();

  connected(presence: Presence): void {
    const key = keyOf(presence.tenant, presence.deviceId);
    const connections = this.#byDevice.get(key) ?? new Map<string, Presence>();
    connections.set(presence.connectionId, presence);
    this.#byDevice.set(key, connections);
    this.#tell({ kind: 'connected', presence });
  }

  disconnected(tenant: Tenant, deviceId: DeviceId, connectionId: string): void {
    const key = keyOf(tenant, deviceId);
    const connections = this.#byDevice.get(key);
    const presence = connections?.get(connectionId);
    if (connections === undefined || presence === undefined) return;
    connections.delete(connectionId);
    if (connections.size === 0) this.#byDevice.delete(key);
    this.#tell({ kind: 'disconnected', presence });
  }

  /** Connections of a device, oldest first. */
  of(tenant: Tenant, deviceId: DeviceId): readonly Presence[] {
    return [...(this.#byDevice.get(keyOf(tenant, deviceId))?.values() ?? [])];
  }

  /** Every connection of a tenant. */
  list(tenant: Tenant): readonly Presence[] {
    return [...this.#byDevice.values()].flatMap((each) => [...each.values()]).filter((each) => each.tenant === tenant);
  }

  onChange(listener: PresenceListener): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }

  #tell(change: PresenceChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function keyOf(tenant: Tenant, deviceId: DeviceId): string {
  return JSON.stringify([tenant, deviceId]);
}
