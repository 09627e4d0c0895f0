import { describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/kernel';
import { decodeRatchetProof, RATCHET_VALUE_BYTES } from '@holdfast/wire/holdfast';
import { type DeviceStore, MemoryStore } from '../store/device-store.ts';
import { RatchetMemory, type RatchetServer } from './ratchet-memory.ts';

const CUT = new HoldfastError('device.power_cut');

/** Takes a value that it offered since the last turn, and the one it turned to again. */
class FakeServer implements RatchetServer {
  current = '';
  offered = 0;
  cutAt: 'offer' | 'turn-lost' | 'turned' | undefined;

  admits(proof: Uint8Array | undefined): boolean {
    if (this.current === '') return true;
    return proof !== undefined && decodeRatchetProof(proof).some((value) => String(value[0]) === this.current);
  }

  async offer(): Promise<Uint8Array> {
    if (this.cutAt === 'offer') throw CUT;
    return new Uint8Array(RATCHET_VALUE_BYTES).fill(++this.offered);
  }

  async turn(value: Uint8Array): Promise<void> {
    if (this.cutAt === 'turn-lost') throw CUT;
    this.current = String(value[0]);
    if (this.cutAt === 'turned') throw CUT;
  }
}

/** Loses power before or after a write of the flash. */
class CuttingStore extends MemoryStore implements DeviceStore {
  cut: { readonly write: number; readonly when: 'before' | 'after' } | undefined;
  writes = 0;

  override write(name: string, bytes: Uint8Array): void {
    const isNow = this.cut?.write === ++this.writes;
    if (isNow && this.cut?.when === 'before') throw CUT;
    super.write(name, bytes);
    if (isNow) throw CUT;
  }
}

describe('the memory of a ratchet', () => {
  it('shows nothing before the first turn, and then the value it turned to', async () => {
    const memory = new RatchetMemory(new MemoryStore());
    const server = new FakeServer();
    expect(memory.proof()).toBeUndefined();
    await memory.turn(server);
    expect(memory.proof()).toEqual(new Uint8Array(RATCHET_VALUE_BYTES).fill(1));
    await memory.turn(server);
    expect(memory.proof()).toEqual(new Uint8Array(RATCHET_VALUE_BYTES).fill(2));
  });

  const cuts = [
    ...(['offer', 'turn-lost', 'turned'] as const).map((cutAt) => ({ cutAt, cut: undefined })),
    ...[1, 2].flatMap((write) =>
      (['before', 'after'] as const).map((when) => ({ cutAt: undefined, cut: { write, when } })),
    ),
  ];

  it.each(cuts.flatMap((cut) => [0, 1, 3].map((turns) => ({ ...cut, turns }))))(
    'is let in after a loss of power, and goes on: %o',
    async ({ cutAt, cut, turns }) => {
      const store = new CuttingStore();
      const server = new FakeServer();
      for (let at = 0; at < turns; at++) await new RatchetMemory(store).turn(server);
      store.writes = 0;
      store.cut = cut;
      server.cutAt = cutAt;
      await expect(new RatchetMemory(store).turn(server)).rejects.toBe(CUT);
      store.cut = undefined;
      server.cutAt = undefined;
      for (let again = 0; again < 3; again++) {
        const memory = new RatchetMemory(store);
        expect(server.admits(memory.proof())).toBe(true);
        await memory.turn(server);
      }
    },
  );

  it('asks for another value after it was told that the server began anew', async () => {
    const store = new MemoryStore();
    const server = new FakeServer();
    server.cutAt = 'turn-lost';
    const memory = new RatchetMemory(store);
    await expect(memory.turn(server)).rejects.toBe(CUT);
    memory.forgetNext();
    expect(memory.proof()).toBeUndefined();
    server.cutAt = undefined;
    await memory.turn(server);
    expect(server.admits(memory.proof())).toBe(true);
  });
});
