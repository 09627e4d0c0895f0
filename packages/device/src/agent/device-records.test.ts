import { createSigner, generatePrivateKey, signReleaseRoot, type Signer } from '@holdfast/crypto';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../store/device-store.ts';
import { DeviceRecords } from './device-records.ts';

const signer = async (): Promise<Signer> => createSigner(await generatePrivateKey('P-256'));
const PEM = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';

describe('the release root of a device', () => {
  it('changes one version at a time, under old and new keys, and keeps nothing of what it refused', async () => {
    const [one, two, three] = [await signer(), await signer(), await signer()];
    const store = new MemoryStore();
    const records = new DeviceRecords(store);
    records.installTrust({
      tlsAnchors: [PEM],
      bootKey: one.publicKeySpki,
      releaseRoot: { version: 1, threshold: 1, keys: [one.publicKeySpki] },
    });
    const second = { version: 2, threshold: 1, keys: [two.publicKeySpki] };
    const third = { version: 3, threshold: 1, keys: [three.publicKeySpki] };
    for (const bad of [
      await signReleaseRoot(second, [two]),
      await signReleaseRoot(second, [one]),
      await signReleaseRoot(third, [one, two, three]),
    ]) {
      expect(() => records.changeRoot(bad)).toThrow(expect.objectContaining({ code: 'device.root_refused' }));
      expect(new DeviceRecords(store).trust().releaseRoot.version).toBe(1);
    }
    records.changeRoot(await signReleaseRoot(second, [one, two]));
    records.changeRoot(await signReleaseRoot(third, [two, three]));
    expect(new DeviceRecords(store).trust().releaseRoot).toEqual(third);
    expect(() => records.changeRoot(new Uint8Array())).toThrow(
      expect.objectContaining({ code: 'device.root_refused' }),
    );
  });

  it('is missed when the factory wrote none', () => {
    expect(() => new DeviceRecords(new MemoryStore()).trust()).toThrow(
      expect.objectContaining({ code: 'device.folder_damaged' }),
    );
  });
});
