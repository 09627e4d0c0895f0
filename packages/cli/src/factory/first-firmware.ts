import type { ApiClient } from '@holdfast/api';
import { encodeUtf8 } from '@holdfast/kernel';
import { publish } from './factory.ts';

const BUILT_IN = { version: '1.0.0', securityCounter: 1 } as const;
const BUILT_IN_BYTES = 16_384;

/**
 * The signed image a new device leaves the factory with: the release asked for, else the newest of the product, else
 * a small one that does nothing but boot.
 *
 * @throws `update.unknown_release`
 */
export async function firstFirmware(client: ApiClient, product: string, release?: string): Promise<Uint8Array> {
  const chosen = release ?? (await newestRelease(client, product)) ?? (await publishBuiltIn(client, product));
  return client.call('releases.image', { release: chosen });
}

async function newestRelease(client: ApiClient, product: string): Promise<string | undefined> {
  let newest: { readonly id: string; readonly createdAt: string } | undefined;
  let after: string | undefined;
  do {
    const page = await client.call('releases.list', { query: after === undefined ? {} : { after } });
    for (const row of page.rows) {
      if (row.product !== product || row.state !== 'published') continue;
      if (newest === undefined || row.createdAt > newest.createdAt) newest = row;
    }
    after = page.next;
  } while (after !== undefined);
  return newest?.id;
}

function publishBuiltIn(client: ApiClient, product: string): Promise<string> {
  const firmware = new Uint8Array(BUILT_IN_BYTES);
  firmware.set(encodeUtf8(`first firmware of ${product}`));
  return publish(client, { product, ...BUILT_IN, firmware });
}
