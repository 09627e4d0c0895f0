import { ManualClock } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import type { ArgumentOf } from './compiled.ts';
import { openStore } from './open-store.ts';
import { defineRead, defineShapedRead, type Has } from './read.ts';
import { query } from './schema.ts';

type Args = { readonly consumer: string; readonly from?: number | undefined };

const named = (arg: ArgumentOf<Args>) =>
  query.selectFrom('outbox_cursors').selectAll().where('consumer', '=', arg('consumer'));

describe('a read that is compiled once', () => {
  it('fills in the values of each use, by name and in the order of the text', () => {
    const read = defineRead((arg: ArgumentOf<{ low: number; high: number }>) =>
      query
        .selectFrom('outbox_cursors')
        .select('consumer')
        .where('sequence', '<', arg('high'))
        .where('sequence', '>', arg('low'))
        .where('consumer', '!=', "nobody's"),
    );
    const [one, two] = [read({ low: 1, high: 9 }), read({ high: 8, low: 2 })];
    expect([one.parameters, two.parameters]).toEqual([
      [9, 1],
      [8, 2],
    ]);
    expect(two.sql).toBe(one.sql);
    // A constant stands in the text: as a value it would have SQLite prepare the statement anew at every use.
    expect(one.sql).toContain("'nobody''s'");
  });

  it('is built at its first use, and never again', () => {
    let built = 0;
    const read = defineRead((arg: ArgumentOf<Args>) => {
      built += 1;
      return named(arg);
    });
    expect(built).toBe(0);
    read({ consumer: 'a' });
    read({ consumer: 'b' });
    expect(built).toBe(1);
  });

  it('has one text for each set of arguments that are given', () => {
    let built = 0;
    const read = defineShapedRead((arg: ArgumentOf<Args>, has: Has<Args>) => {
      built += 1;
      return has('from') ? named(arg).where('sequence', '>=', arg('from')) : named(arg);
    });
    expect(read({ consumer: 'a' }).parameters).toEqual(['a']);
    expect(read({ consumer: 'b', from: 3 }).parameters).toEqual(['b', 3]);
    expect(read({ from: 4, consumer: 'c' }).parameters).toEqual(['c', 4]);
    expect(read({ consumer: 'd', from: undefined }).parameters).toEqual(['d']);
    expect(built).toBe(2);
  });

  it('gives the rows that a query built for one time gives', async () => {
    const opened = await openStore({ location: ':memory:', clock: new ManualClock() });
    const repository = { move: (consumer: string) => opened.events.subscribe(consumer, () => undefined) };
    repository.move('a');
    await opened.store.commit([opened.outbox.event({ tenant: 't', name: 'policy.changed', subject: 'p', data: {} })]);
    const compiled = defineRead((arg: ArgumentOf<{ tenant: string }>) =>
      query.selectFrom('outbox').selectAll().where('tenant', '=', arg('tenant')),
    );
    const built = query.selectFrom('outbox').selectAll().where('tenant', '=', 't');
    expect(await opened.reader.all(compiled({ tenant: 't' }))).toEqual(await opened.reader.all(built));
    expect(await opened.reader.first(compiled({ tenant: 'other' }))).toBeUndefined();
    await opened.close();
  });
});
