import { createSigner, generatePrivateKey, merkleRoot, type Signer, verifyInclusion } from '@holdfast/crypto';
import { createLog, type LogRecord, ManualClock } from '@holdfast/kernel';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OpenStore, openStore } from '../../../server/src/persistence/index.ts';
import { SqlAuditLog } from '../../../server/src/persistence/repositories/audit.ts';
import type { AuditFact, AuditRepository, CheckpointFile, StoredAuditEntry } from '../ports/index.ts';
import {
  appendLeaf,
  assembleTree,
  AuditTrail,
  Checkpoints,
  EMPTY_TREE,
  hashAuditEntry,
  rootOf,
  spansOf,
  verifyAuditLog,
} from './index.ts';

const ORIGIN = 'holdfast.test/audit';
const coded = (code: string) => expect.objectContaining({ code });
const leafOf = (at: number) => new Uint8Array(32).fill(at & 0xff).map((byte, i) => (i === 0 ? at >> 8 : byte));

describe('the tree of the audit log', () => {
  it('has the root of RFC 9162 at every size, appended or put together from tiles', async () => {
    const hashes: Uint8Array[][] = [[], [], []];
    let tree = EMPTY_TREE;
    for (let size = 0; size <= 600; size++) {
      const spans = spansOf(0, size);
      const restored = assembleTree(
        spans,
        spans.map(({ level, start, end }) => hashes[level]?.slice(start, end) ?? []),
      );
      expect(restored).toEqual(tree);
      if (size % 61 === 0) {
        const { root } = await merkleRoot(Array.from({ length: size }, (_, at) => leafOf(at)));
        expect(rootOf(tree)).toEqual(root);
      }
      const grown = appendLeaf(tree, leafOf(size));
      hashes[0]?.push(leafOf(size));
      for (const { level, position, hash } of grown.tiles) (hashes[level] ??= [])[position] = hash;
      ({ tree } = grown);
    }
  });

  it('needs few hashes to be put together, however large it is', () => {
    const count = (size: number) => spansOf(0, size).reduce((sum, { start, end }) => sum + end - start, 0);
    expect(count(256 ** 3 - 1)).toBe(3 * 255);
    expect(count(256 ** 3)).toBe(1);
  });

  it('is refused when a hash is missing or short', () => {
    const spans = spansOf(0, 3);
    expect(() => assembleTree(spans, [[leafOf(0), leafOf(1)]])).toThrowError(coded('audit.tampered'));
    expect(() => assembleTree(spans, [[leafOf(0), leafOf(1), new Uint8Array(31)]])).toThrowError(
      coded('audit.tampered'),
    );
  });
});

describe('the audit log', () => {
  let signer: Signer;
  let clock: ManualClock;
  let opened: OpenStore;
  let repository: SqlAuditLog;
  let notes: string[];
  let failing: boolean;
  let lines: LogRecord[];
  let checkpoints: Checkpoints;

  const file: CheckpointFile = {
    read: async () => [...notes],
    append: async (note) => {
      if (failing) throw new Error('the disk is gone');
      notes.push(note);
    },
  };

  const ports = () => ({
    repository,
    file,
    signer,
    origin: ORIGIN,
    clock,
    log: createLog((line) => lines.push(line)),
  });

  beforeAll(async () => {
    signer = createSigner(await generatePrivateKey('ed25519'));
  });
  beforeEach(async () => {
    clock = new ManualClock();
    opened = await openStore({ location: ':memory:', clock });
    repository = new SqlAuditLog(opened.reader);
    [notes, failing, lines] = [[], false, []];
    checkpoints = new Checkpoints(ports());
    opened.store.onCommit(({ auditSize }) => checkpoints.committed(auditSize));
    await checkpoints.start();
  });
  afterEach(() => opened.close());

  const fact = (subject: string, more: Partial<AuditFact> = {}): AuditFact => ({
    tenant: 'default',
    actor: 'operator:alice',
    action: 'device.revoked',
    subject,
    details: { reason: 'keyCompromise', count: 2, final: true, note: null },
    ...more,
  });
  const commit = (...facts: readonly AuditFact[]) => opened.store.commit(facts.map((one) => opened.audit.entry(one)));
  const all = async () => (await repository.from(0, 1000)).map((entry) => ({ ...entry }));
  const verify = (entries: readonly StoredAuditEntry[], signed = notes) =>
    verifyAuditLog(streamOf(entries), signed, checkpoints.key);

  /** Ten entries, a checkpoint after each two of the first eight. */
  async function written(): Promise<StoredAuditEntry[]> {
    for (let pair = 0; pair < 4; pair++) {
      await commit(fact(`lamp-${2 * pair}`), fact(`lamp-${2 * pair + 1}`));
      await checkpoints.flush();
    }
    await commit(fact('lamp-8'), fact('lamp-9'));
    return all();
  }

  it('is intact as it was written; what no checkpoint covers yet is counted', async () => {
    const entries = await written();
    expect(await verify(entries)).toEqual({ kind: 'intact', size: 10, checkpoints: 4, unsigned: 2 });
    await checkpoints.close();
    expect(await verify(entries)).toEqual({ kind: 'intact', size: 10, checkpoints: 5, unsigned: 0 });
    expect(await verify([], [])).toEqual({ kind: 'intact', size: 0, checkpoints: 0, unsigned: 0 });
  });

  it('names the entry in which any one character, number or byte of the hash changed', async () => {
    const entries = await written();
    const victim = entries[5];
    if (!victim) throw new Error('ten entries');
    const changed: StoredAuditEntry[] = [];
    for (const field of ['tenant', 'actor', 'action', 'subject', 'details'] as const) {
      for (let at = 0; at < victim[field].length; at++) {
        const flipped = String.fromCharCode(victim[field].charCodeAt(at) ^ 1);
        changed.push({ ...victim, [field]: victim[field].slice(0, at) + flipped + victim[field].slice(at + 1) });
      }
      changed.push({ ...victim, [field]: `${victim[field]} ` }, { ...victim, [field]: '' });
    }
    for (let at = 0; at < 32; at++) {
      changed.push({ ...victim, leaf: victim.leaf.map((byte, i) => (i === at ? byte ^ 0x80 : byte)) });
    }
    changed.push({ ...victim, at: victim.at + 1 }, { ...victim, at: 0.5 }, { ...victim, leaf: new Uint8Array(0) });
    for (const entry of changed) {
      expect(await verify(entries.with(5, entry))).toEqual({ kind: 'entry-changed', sequence: 5 });
    }
    expect(changed.length).toBeGreaterThan(100);
  });

  it('names the range in which an entry was changed together with its hash', async () => {
    const entries = await written();
    const other = rehashed({ ...entries[5], subject: 'lamp-6' } as StoredAuditEntry);
    expect(await verify(entries.with(5, other))).toEqual({ kind: 'range-changed', first: 4, last: 5 });
  });

  it.each([1, 2, 3, 9])('notices that the last %i entries are gone', async (count) => {
    const entries = await written();
    await checkpoints.flush();
    expect(await verify(entries.slice(0, -count))).toEqual({ kind: 'tail-removed', sequence: 10 - count, last: 9 });
  });

  it('names the first entry that is missing, moved or there twice', async () => {
    const entries = await written();
    const [a, b, c] = entries;
    if (!a || !b || !c) throw new Error('ten entries');
    expect(await verify(entries.toSpliced(4, 1))).toEqual({ kind: 'entry-missing', sequence: 4 });
    expect(await verify([b, a, ...entries.slice(2)])).toEqual({ kind: 'entry-missing', sequence: 0 });
    expect(await verify([a, b, b, ...entries.slice(2)])).toEqual({ kind: 'entry-missing', sequence: 2 });
    expect(await verify(entries.slice(1))).toEqual({ kind: 'entry-missing', sequence: 0 });
    const swapped = [{ ...b, sequence: 0 }, { ...a, sequence: 1 }, ...entries.slice(2)];
    expect(await verify(swapped)).toEqual({ kind: 'entry-changed', sequence: 0 });
  });

  it('names the checkpoint in which a byte changed, that moved, or that another key signed', async () => {
    const entries = await written();
    const [first = '', second = '', third = '', fourth = ''] = notes;
    const bad = { kind: 'bad-checkpoint', line: 1 };
    for (let at = 0; at < second.length; at++) {
      const flipped = second.slice(0, at) + String.fromCharCode(second.charCodeAt(at) ^ 1) + second.slice(at + 1);
      expect(await verify(entries, [first, flipped, third, fourth])).toEqual(bad);
    }
    expect(await verify(entries, [second, first, third, fourth])).toEqual(bad);
    expect(await verify(entries, [first, first, third, fourth])).toEqual(bad);
    expect(await verify(entries, [first, '', third, fourth])).toEqual(bad);
    const stranger = createSigner(await generatePrivateKey('ed25519'));
    const foreign = new Checkpoints({
      repository,
      file: { read: async () => [], append: async (note) => void notes.splice(1, 3, note) },
      signer: stranger,
      origin: ORIGIN,
      clock,
      log: createLog(() => undefined),
    });
    await foreign.start();
    await foreign.close();
    expect(await verify(entries)).toEqual(bad);
  });

  it('notices that every checkpoint is gone', async () => {
    expect(await verify(await written(), [])).toEqual({ kind: 'no-checkpoint', size: 10 });
  });

  it('proves each of its entries, also across a tile, and none of another tenant', async () => {
    await commit(...Array.from({ length: 300 }, (_, at) => fact(`lamp-${at}`)));
    await commit(fact('other', { tenant: 'acme' }));
    const trail = new AuditTrail({ repository, file });
    for (const sequence of [0, 1, 127, 128, 254, 255, 256, 257, 298, 299]) {
      const { entry, root, path, size } = await trail.prove('default', sequence);
      const claim = { leaf: entry.leaf, index: BigInt(sequence), size: BigInt(size), root, path };
      expect(verifyInclusion(claim)).toBe(true);
      expect(verifyInclusion({ ...claim, index: BigInt(sequence ^ 1) })).toBe(false);
    }
    await expect(trail.prove('default', 300)).rejects.toThrowError(coded('audit.unknown_entry'));
    await expect(trail.prove('default', 301)).rejects.toThrowError(coded('audit.unknown_entry'));
    expect(await trail.verify(checkpoints.key)).toEqual({ kind: 'no-checkpoint', size: 301 });
    await checkpoints.flush();
    expect(await trail.verify(checkpoints.key)).toMatchObject({ kind: 'intact', size: 301, unsigned: 0 });
  });

  it('is listed newest first, by pages, by subject and by action, one tenant at a time', async () => {
    await commit(fact('a'), fact('b'), fact('a', { action: 'device.readmitted' }), fact('a', { tenant: 'acme' }));
    const trail = new AuditTrail({ repository, file });
    const list = async (filter: object, after?: string) => {
      const page = await trail.list('default', filter, { limit: 2, after });
      return [page.rows.map(({ sequence }) => sequence), page.next];
    };
    expect(await list({})).toEqual([[2, 1], '1']);
    expect(await list({}, '1')).toEqual([[0], undefined]);
    expect(await list({ subject: 'a' })).toEqual([[2, 0], '0']);
    expect(await list({ action: 'device.readmitted' })).toEqual([[2], undefined]);
    expect(await list({ subject: 'a', action: 'device.revoked' })).toEqual([[0], undefined]);
  });

  it('cuts long texts and mends broken ones, so that no name makes it look altered', async () => {
    const nasty = `\u0000"\\\n\ud800 ${'x'.repeat(300)}`;
    await commit(fact(nasty, { actor: nasty, details: { name: nasty } }));
    const [entry] = await all();
    expect(entry?.subject.length).toBe(256);
    await checkpoints.flush();
    expect(await verify(await all())).toMatchObject({ kind: 'intact', size: 1 });
  });

  it('refuses the whole unit whose fact it cannot hold', async () => {
    const event = opened.outbox.event({ tenant: 'default', name: 'device.revoked', subject: 'lamp', data: {} });
    const unit = [event, opened.audit.entry(fact('lamp', { details: { share: 0.5 } }))];
    await expect(opened.store.commit(unit)).rejects.toThrowError(coded('wire.malformed'));
    expect(await opened.events.since(0, 10)).toEqual([]);
    expect(await all()).toEqual([]);
  });

  describe('its checkpoints', () => {
    const settled = async (count: number) => {
      for (let tries = 0; notes.length < count && tries < 100; tries++) await Promise.resolve();
      for (let tries = 0; notes.length < count && tries < 100; tries++)
        await new Promise((done) => setTimeout(done, 1));
    };

    it('follow within a second, one for all that was committed meanwhile', async () => {
      await commit(fact('a'));
      await commit(fact('b'));
      clock.advance(999);
      expect(notes).toEqual([]);
      clock.advance(1);
      await settled(1);
      expect(notes).toHaveLength(1);
      expect(notes[0]?.split('\n').slice(0, 2)).toEqual([ORIGIN, '2']);
      clock.advance(60_000);
      expect(notes).toHaveLength(1);
    });

    it('are tried again when the file fails, and say so in the log', async () => {
      failing = true;
      await commit(fact('a'));
      clock.advance(1000);
      for (let tries = 0; lines.length === 0 && tries < 100; tries++) await new Promise((done) => setTimeout(done, 1));
      expect(lines.map(({ level, message }) => [level, message])).toEqual([
        ['error', 'the audit log could not be signed'],
      ]);
      failing = false;
      clock.advance(10_000);
      await settled(1);
      expect(await verify(await all())).toMatchObject({ kind: 'intact', unsigned: 0 });
    });

    it('go on from the last one after a start', async () => {
      await written();
      const again = new Checkpoints(ports());
      expect(await again.start()).toEqual({ kind: 'consistent', size: 10 });
      await again.close();
      expect(await verify(await all())).toEqual({ kind: 'intact', size: 10, checkpoints: 5, unsigned: 0 });
    });

    it('are signed no more when the store lost entries they cover', async () => {
      await written();
      const cut = like(repository, { size: async () => 6 });
      const again = new Checkpoints({ ...ports(), repository: cut });
      expect(await again.start()).toEqual({ kind: 'tail-removed', size: 6, signed: 8 });
      again.committed(9);
      await again.close();
      expect(notes).toHaveLength(4);
    });

    it('are signed no more when a leaf they cover is another', async () => {
      await written();
      const altered = like(repository, {
        hashes: async (level: number, start: number, end: number) =>
          (await repository.hashes(level, start, end)).map((hash, at) => (start + at === 3 ? leafOf(3) : hash)),
      });
      const again = new Checkpoints({ ...ports(), repository: altered });
      expect(await again.start()).toEqual({ kind: 'altered', signed: 8 });
      again.committed(10);
      await again.close();
      expect(notes).toHaveLength(4);
    });

    it('of another key stop the start', async () => {
      await written();
      const stranger = createSigner(await generatePrivateKey('ed25519'));
      const again = new Checkpoints({ ...ports(), signer: stranger });
      await expect(again.start()).rejects.toThrowError(coded('audit.bad_checkpoint'));
    });
  });
});

/** The repository with some answers replaced. */
function like(repository: AuditRepository, replaced: Partial<AuditRepository>): AuditRepository {
  return {
    list: (...args) => repository.list(...args),
    from: (...args) => repository.from(...args),
    find: (...args) => repository.find(...args),
    size: () => repository.size(),
    hashes: (...args) => repository.hashes(...args),
    ...replaced,
  };
}

async function* streamOf(entries: readonly StoredAuditEntry[]): AsyncGenerator<StoredAuditEntry> {
  yield* entries;
}

function rehashed(entry: StoredAuditEntry): StoredAuditEntry {
  return { ...entry, leaf: hashAuditEntry(entry) };
}
