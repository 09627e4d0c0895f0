interface Node<Value> {
  readonly children: Map<string, Node<Value>>;
  readonly values: Set<Value>;
}

const MAX_REMEMBERED = 20_000;

/** What belongs to the topic filters that match a topic, by the rules of MQTT 5 section 4.7. */
export class FilterTrie<Value> {
  readonly #root: Node<Value> = createNode();
  readonly #known = new Map<string, ReadonlySet<Value>>();

  add(filter: string, value: Value): void {
    let node = this.#root;
    for (const level of filter.split('/')) {
      const child = node.children.get(level) ?? createNode<Value>();
      node.children.set(level, child);
      node = child;
    }
    node.values.add(value);
    this.#known.clear();
  }

  /** @param value - the same object that was added */
  remove(filter: string, value: Value): void {
    const levels = filter.split('/');
    const path = [this.#root];
    for (const level of levels) {
      const child = path.at(-1)?.children.get(level);
      if (child === undefined) return;
      path.push(child);
    }
    path.at(-1)?.values.delete(value);
    for (let depth = levels.length; depth > 0; depth--) {
      const node = path[depth];
      if (node === undefined || node.children.size + node.values.size > 0) break;
      path[depth - 1]?.children.delete(levels[depth - 1] ?? '');
    }
    this.#known.clear();
  }

  match(topic: string): ReadonlySet<Value> {
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    const found = new Set<Value>();
    collect(this.#root, { levels: topic.split('/'), found }, 0, topic.startsWith('$'));
    // Ever new topics must not grow the memory without bound.
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(topic, found);
    return found;
  }
}

function createNode<Value>(): Node<Value> {
  return { children: new Map(), values: new Set() };
}

interface Search<Value> {
  readonly levels: readonly string[];
  readonly found: Set<Value>;
}

/** @param reserved - the topic begins with `$`, which wildcards at its first level do not see [MQTT-4.7.2-1]. */
function collect<Value>(node: Node<Value>, search: Search<Value>, depth: number, reserved: boolean): void {
  const wild = depth > 0 || !reserved;
  const level = search.levels[depth];
  if (wild) for (const value of node.children.get('#')?.values ?? []) search.found.add(value);
  if (level === undefined) {
    for (const value of node.values) search.found.add(value);
    return;
  }
  const next = [node.children.get(level), wild ? node.children.get('+') : undefined];
  for (const child of next) if (child !== undefined) collect(child, search, depth + 1, reserved);
}
