import type { Signer } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { REVOCATION_LIST_LIMITS } from '@holdfast/trust/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type IdentityWorld, MemoryAuthorityKeys, openIdentityWorld } from '../testing/identity-world.ts';

const { lifeMs, refreshMs, retryMs } = REVOCATION_LIST_LIMITS;

/** Keys that sign when the test lets them. */
class AbsentKeys extends MemoryAuthorityKeys {
  isAway = false;

  override async creating(wish: Parameters<MemoryAuthorityKeys['creating']>[0]) {
    const { signer, writes } = await super.creating(wish);
    return { signer: this.#guarded(signer), writes };
  }

  override async signer(tenant: string, keyId: string) {
    const signer = await super.signer(tenant, keyId);
    return signer && this.#guarded(signer);
  }

  #guarded({ algorithm, publicKeySpki, ...signer }: Signer): Signer {
    return {
      algorithm,
      publicKeySpki,
      sign: async (bytes) => {
        if (this.isAway) throw new HoldfastError('storage.key_unavailable');
        return signer.sign(bytes);
      },
    };
  }
}

let keys: AbsentKeys;
let world: IdentityWorld;
beforeEach(async () => {
  keys = new AbsentKeys();
  world = await openIdentityWorld({ keys });
});
afterEach(async () => {
  await world.crl.close();
  await world.opened.close();
});

const number = async () => (await world.crl.current())?.number;

/** Lets time go by in steps no longer than the least timer, so that what a timer began is over before the next. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= retryMs) {
    world.clock.advance(Math.min(left, retryMs));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('revocation lists while the key of the authority is away', () => {
  it('stay in force through an outage of 17 hours that begins when the next were due', async () => {
    await world.crl.start();
    await pass(refreshMs - 1);
    keys.isAway = true;
    await pass(17 * 3_600_000);
    expect(await world.crl.health()).toBe('half-life-passed');
    expect(await number()).toBe(1);
    await pass(lifeMs - refreshMs - 17 * 3_600_000 + 1000);
    expect(await world.crl.health()).toBe('expired');
  });

  it('are made as soon as it signs again, without waiting for the next turn', async () => {
    keys.isAway = true;
    await world.crl.start();
    expect(await world.crl.health()).toBe('absent');
    keys.isAway = false;
    world.crl.retry();
    await expect.poll(() => world.crl.health()).toBe('fresh');
    expect(await number()).toBe(1);
    world.crl.retry();
    await world.crl.close();
    expect(await number()).toBe(1);
  });

  it('are tried again every minute when nobody says that it is back', async () => {
    keys.isAway = true;
    await world.crl.start();
    keys.isAway = false;
    world.clock.advance(retryMs);
    await expect.poll(() => world.crl.health()).toBe('fresh');
  });
});
