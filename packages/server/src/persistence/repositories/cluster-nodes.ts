import type { Store } from '@holdfast/trust/ports';
import type { NodeRecord, NodeRecords } from '../../cluster/ports.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import { compileWrite } from '../write.ts';

type Lease = { readonly nodeId: string; readonly beats: number };

/** Nodes that share a store, and what one of them does for all. */
export class SqlNodeRecords implements NodeRecords {
  readonly #reader: Reader;
  readonly #store: Store;
  readonly #tenant: string;

  constructor(ports: { readonly reader: Reader; readonly store: Store; readonly tenant: string }) {
    this.#reader = ports.reader;
    this.#store = ports.store;
    this.#tenant = ports.tenant;
  }

  async list(): Promise<readonly NodeRecord[]> {
    const rows = await this.#reader.all(query.selectFrom('cluster_nodes').selectAll().orderBy('node_id'));
    return rows.map(({ beats, name, node_id, slot, started_at }) => {
      return { nodeId: node_id, slot, name, startedAt: started_at, beats };
    });
  }

  insert({ beats, name, nodeId, slot, startedAt }: NodeRecord): Promise<void> {
    const row = { node_id: nodeId, tenant: this.#tenant, slot, name, started_at: startedAt, beats };
    return this.#store.commit([compileWrite(query.insertInto('cluster_nodes').values(row), { expectRows: 1 })]);
  }

  beat(nodeId: string, beats: number): Promise<void> {
    const built = query.updateTable('cluster_nodes').set({ beats }).where('node_id', '=', nodeId);
    return this.#store.commit([compileWrite(built, { expectRows: 1 })]);
  }

  remove(nodeId: string): Promise<void> {
    return this.#store.commit([compileWrite(query.deleteFrom('cluster_nodes').where('node_id', '=', nodeId))]);
  }

  async lease(name: string): Promise<Lease | undefined> {
    const row = await this.#reader.first(query.selectFrom('cluster_leases').selectAll().where('name', '=', name));
    return row === undefined ? undefined : { nodeId: row.node_id, beats: row.beats };
  }

  takeLease(name: string, before: Lease | undefined, { beats, nodeId }: Lease): Promise<void> {
    const row = { name, tenant: this.#tenant, node_id: nodeId, beats };
    const built =
      before === undefined
        ? query.insertInto('cluster_leases').values(row)
        : query
            .updateTable('cluster_leases')
            .set({ node_id: nodeId, beats })
            .where('name', '=', name)
            .where('node_id', '=', before.nodeId)
            .where('beats', '=', before.beats);
    return this.#store.commit([compileWrite(built, { expectRows: 1 })]);
  }
}
