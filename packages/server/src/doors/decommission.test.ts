import { createSigner, generatePrivateKey, type PrivateKey, sha256 } from '@holdfast/crypto';
import { encodeHex, encodeUtf8 } from '@holdfast/kernel';
import { Decommission } from '@holdfast/trust/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const WEEK = 7 * 86_400_000;

describe('the decommission of a device', () => {
  let world: IdentityWorld;
  let decommission: Decommission;
  let key: PrivateKey;

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    const { clock, opened, registry, repositories, revocation } = world;
    const { store, audit } = opened;
    const secret = new Uint8Array(32).fill(4);
    decommission = new Decommission({ ...repositories, clock, store, audit, registry, revocation, key: secret });
    key = await enroll('lamp-1');
  });
  afterEach(() => world.opened.close());

  async function enroll(serial: string): Promise<PrivateKey> {
    const own = await generatePrivateKey('P-256');
    const claim = await world.addClaim({ serials: [serial] });
    await world.enrollment.enrollDirect(claim, await makeCsr({ key: own }), connection(serial, 'est'));
    return own;
  }

  interface Lie {
    readonly signedBy?: PrivateKey;
    readonly names?: PrivateKey;
    readonly challenge?: Uint8Array;
    readonly edit?: (statement: string) => string;
  }

  async function proof({ signedBy = key, names = key, challenge, edit = (text) => text }: Lie = {}) {
    const asked = challenge ?? (await decommission.challenge('default', 'lamp-1')).bytes;
    const spki = encodeHex(sha256(names.publicKey.spki));
    const text = `holdfast/key-destroyed/v1\n${spki}\nsoftware\n${encodeHex(asked)}\n`;
    const signature = await createSigner(signedBy).sign(encodeUtf8(text));
    return { statement: encodeUtf8(edit(text)), signature };
  }

  it('revokes and archives it, and keeps what was proven', async () => {
    const done = await decommission.complete(ADMIN, 'lamp-1', await proof());
    expect(done.state).toBe('archived');
    const [certificate] = await world.repositories.certificates.ofDevice('default', 'lamp-1');
    expect(certificate).toMatchObject({ state: 'revoked', revocationReason: 'cessationOfOperation' });
    const entry = (await world.audit()).find(({ action }) => action === 'device.key_destroyed');
    expect(JSON.parse(entry?.details ?? '')).toMatchObject({
      key: encodeHex(sha256(key.publicKey.spki)),
      store: 'software',
    });
  });

  it.each<[string, () => Promise<Lie>]>([
    ['signed by another key', async () => ({ signedBy: await generatePrivateKey('P-256') })],
    [
      'about another key, by that key',
      async () => {
        const other = await generatePrivateKey('P-256');
        return { signedBy: other, names: other };
      },
    ],
    [
      'about the key of another device',
      async () => {
        const other = await enroll('lamp-2');
        return { signedBy: other, names: other };
      },
    ],
    ['over a challenge of its own', async () => ({ challenge: new Uint8Array(24).fill(9) })],
    [
      'over the challenge of another device',
      async () => {
        await enroll('lamp-2');
        return { challenge: (await decommission.challenge('default', 'lamp-2')).bytes };
      },
    ],
    [
      'over a challenge that was made to last longer',
      async () => {
        const { bytes } = await decommission.challenge('default', 'lamp-1');
        bytes[3] = 0xff;
        return { challenge: bytes };
      },
    ],
    ['changed after it was signed', async () => ({ edit: (text) => text.replace('software', 'tpm') })],
    ['that is no statement', async () => ({ edit: () => 'destroyed, believe me' })],
  ])('is refused a proof %s', async (_name, lie) => {
    const given = await proof(await lie());
    await expect(decommission.complete(ADMIN, 'lamp-1', given)).rejects.toMatchObject({
      code: 'identity.bad_destruction_proof',
    });
    expect((await world.registry.show('default', 'lamp-1')).state).toBe('active');
  });

  it('takes a challenge for a week, and a proof once', async () => {
    const given = await proof();
    world.clock.advance(WEEK + 1);
    await expect(decommission.complete(ADMIN, 'lamp-1', given)).rejects.toMatchObject({ details: { reason: 'time' } });
    const fresh = await proof();
    await decommission.complete(ADMIN, 'lamp-1', fresh);
    await expect(decommission.complete(ADMIN, 'lamp-1', fresh)).rejects.toMatchObject({
      code: 'identity.bad_destruction_proof',
    });
  });

  it('knows no device that is not there', async () => {
    await expect(decommission.challenge('default', 'nobody')).rejects.toMatchObject({
      code: 'identity.unknown_device',
    });
  });
});
