import type { MqttProfile } from './profiles.ts';
import { RetainedTree } from './retained-tree.ts';
import type { Subscription } from './session.ts';
import { type Matches, TopicTrie } from './topic-trie.ts';

/** The topics of one realm: who subscribed, what is retained. */
export class TopicSpace {
  readonly retained: RetainedTree;
  readonly #trie: TopicTrie;
  readonly #cache = new Map<string, Matches>();
  readonly #cacheEntries: number;

  constructor(profile: MqttProfile, cacheEntries: number) {
    this.retained = new RetainedTree(profile);
    this.#trie = new TopicTrie(profile);
    this.#cacheEntries = cacheEntries;
  }

  subscribe(subscription: Subscription): void {
    this.#trie.add(subscription);
    this.#forget(subscription.filter);
  }

  unsubscribe(subscription: Subscription): void {
    this.#trie.remove(subscription);
    this.#forget(subscription.filter);
  }

  match(topic: string): Matches {
    const known = this.#cache.get(topic);
    if (known !== undefined) return known;
    const matches = this.#trie.match(topic);
    // A client that publishes to ever new topics must not grow the cache without bound.
    if (this.#cache.size >= this.#cacheEntries) this.#cache.clear();
    this.#cache.set(topic, matches);
    return matches;
  }

  #forget(filter: string): void {
    if (filter.includes('+') || filter.includes('#')) this.#cache.clear();
    else this.#cache.delete(filter);
  }
}
