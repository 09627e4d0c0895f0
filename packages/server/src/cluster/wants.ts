import { parseTopicFilter } from '@holdfast/wire/mqtt';
import { FilterTrie } from '../engines/sinks/index.ts';

interface Want {
  readonly node: string;
  readonly text: string;
  readonly shared: boolean;
  /** The snapshot it was last in. */
  round: number;
}

/** What other nodes want: their filters, matched here, so that a message crosses the bus only to who has a use for it. */
export class Wants {
  readonly #tries = new Map<string, FilterTrie<Want>>();
  readonly #byNode = new Map<
    string,
    Map<string, { readonly want: Want; readonly realm: string; readonly filter: string }>
  >();
  readonly #rounds = new Map<string, number>();
  #turn = 0;

  set(node: string, realm: string, text: string, on: boolean): void {
    const wants = this.#byNode.get(node) ?? new Map();
    this.#byNode.set(node, wants);
    const key = JSON.stringify([realm, text]);
    const known = wants.get(key);
    if (known !== undefined && on) {
      known.want.round = this.#round(node);
      return;
    }
    if (known !== undefined) {
      this.#tries.get(realm)?.remove(known.filter, known.want);
      wants.delete(key);
      return;
    }
    const parsed = parseTopicFilter(text);
    if (!on || parsed.kind !== 'filter') return;
    const want = { node, text, shared: parsed.share !== undefined, round: this.#round(node) };
    wants.set(key, { want, realm, filter: parsed.filter });
    const trie = this.#tries.get(realm) ?? new FilterTrie<Want>();
    this.#tries.set(realm, trie);
    trie.add(parsed.filter, want);
  }

  /** Begins or ends a telling of everything: what was not told is not wanted any more. */
  snapshot(node: string, part: 'begin' | 'end'): void {
    if (part === 'begin') this.#rounds.set(node, this.#round(node) + 1);
    else this.#dropWhere(node, (want) => want.round < this.#round(node));
  }

  forget(node: string): void {
    this.#dropWhere(node, () => true);
    this.#byNode.delete(node);
    this.#rounds.delete(node);
  }

  /**
   * Nodes that want a topic, each with the shared subscriptions it is to serve: one node for each that is not served.
   */
  of(realm: string, topic: string, served: ReadonlySet<string>): ReadonlyMap<string, readonly string[]> {
    const found = this.#tries.get(realm)?.match(topic);
    const nodes = new Map<string, string[]>();
    if (found === undefined || found.size === 0) return nodes;
    const groups = new Map<string, string[]>();
    for (const { node, shared, text } of found) {
      if (!shared) nodes.set(node, nodes.get(node) ?? []);
      else if (!served.has(text)) groups.set(text, [...(groups.get(text) ?? []), node]);
    }
    for (const [text, members] of groups) {
      const node = members[this.#turn++ % members.length];
      if (node !== undefined) nodes.set(node, [...(nodes.get(node) ?? []), text]);
    }
    return nodes;
  }

  #round(node: string): number {
    return this.#rounds.get(node) ?? 0;
  }

  #dropWhere(node: string, suits: (want: Want) => boolean): void {
    for (const { realm, want } of this.#byNode.get(node)?.values() ?? []) {
      if (suits(want)) this.set(node, realm, want.text, false);
    }
  }
}
