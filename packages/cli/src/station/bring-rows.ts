import type { ApiClient, ImportDevice } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import type { BatchRow } from './batch-rows.ts';

const AT_ONCE = 500;

/**
 * Brings the devices of a batch into the registry: all are judged before the first is written.
 *
 * @throws `cli.rows_refused` with the first that is refused
 */
export async function bringRows(
  client: ApiClient,
  rows: readonly BatchRow[],
  given: { readonly product: string; readonly hardwareRevision: string | undefined },
): Promise<void> {
  for (const apply of [false, true]) {
    for (let at = 0; at < rows.length; at += AT_ONCE) {
      const part = rows.slice(at, at + AT_ONCE);
      const body = { rows: part.map((row) => importRow(row, given)), apply };
      const { results } = await client.call('registry.import', { body });
      const refused = results.findIndex(({ outcome }) => outcome === 'refused');
      const { id, code, rule } = results[refused] ?? {};
      if (refused >= 0) {
        throw new HoldfastError('cli.rows_refused', { line: part[refused]?.line, device: id, because: code, rule });
      }
    }
  }
}

/** A batch names what a device is, never what it stands at. */
function importRow(
  { serial, groups, attributes }: BatchRow,
  { product, hardwareRevision }: { readonly product: string; readonly hardwareRevision: string | undefined },
): ImportDevice {
  return {
    id: serial,
    serial,
    product,
    groups: [...groups],
    attributes,
    ...(hardwareRevision === undefined ? {} : { hardwareRevision }),
  };
}
