import { topicMatches } from '@holdfast/wire/mqtt';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FilterTrie } from './filter-trie.ts';

const level = fc.constantFrom('a', 'b', '', '$x');
const topics = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/'));

it('finds what the filters find one by one', () => {
  fc.assert(
    fc.property(fc.array(filters, { maxLength: 8 }), fc.array(topics, { maxLength: 4 }), (all, asked) => {
      const trie = new FilterTrie<string>();
      for (const filter of all) trie.add(filter, filter);
      for (const topic of [...asked, ...asked]) {
        const expected = [...new Set(all)].filter((filter) => topicMatches(filter, topic)).sort();
        expect([...trie.match(topic)].sort()).toEqual(expected);
      }
    }),
    { numRuns: 200 },
  );
});

it('sees a filter that was added after a topic was asked for', () => {
  const trie = new FilterTrie<string>();
  expect(trie.match('a/b').size).toBe(0);
  trie.add('a/+', 'one');
  expect([...trie.match('a/b')]).toEqual(['one']);
});
