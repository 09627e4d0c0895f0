import type { MatchRules } from '@holdfast/wire/mqtt';
import type { Message } from './message.ts';

interface Node {
  readonly children: Map<string, Node>;
  message: Message | undefined;
}

/** The last retained message of each topic of one realm. */
export class RetainedTree {
  readonly #root: Node = { children: new Map(), message: undefined };
  readonly #rules: MatchRules;

  constructor(rules: MatchRules) {
    this.#rules = rules;
  }

  get(topic: string): Message | undefined {
    let node: Node | undefined = this.#root;
    for (const level of topic.split('/')) node = node?.children.get(level);
    return node?.message;
  }

  /** @returns the message that stood there. */
  set(topic: string, message: Message): Message | undefined {
    let node = this.#root;
    for (const level of topic.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = { children: new Map(), message: undefined };
        node.children.set(level, child);
      }
      node = child;
    }
    const previous = node.message;
    node.message = message;
    return previous;
  }

  remove(topic: string): Message | undefined {
    const levels = topic.split('/');
    const path: Node[] = [this.#root];
    for (const level of levels) {
      const child = path.at(-1)?.children.get(level);
      if (child === undefined) return undefined;
      path.push(child);
    }
    const last = path.at(-1);
    const previous = last?.message;
    if (last !== undefined) last.message = undefined;
    for (let depth = levels.length; depth > 0; depth--) {
      const node = path[depth];
      if (node === undefined || node.message !== undefined || node.children.size > 0) break;
      path[depth - 1]?.children.delete(levels[depth - 1] ?? '');
    }
    return previous;
  }

  /** Every retained message that an ordinary filter matches. */
  match(filter: string): Message[] {
    const found: Message[] = [];
    this.#collect(this.#root, filter.split('/'), 0, found);
    return found;
  }

  all(): Message[] {
    const found: Message[] = [];
    collectBelow(this.#root, found, false);
    return found;
  }

  #collect(node: Node, wanted: readonly string[], depth: number, found: Message[]): void {
    const level = wanted[depth];
    if (level === undefined) {
      if (node.message !== undefined) found.push(node.message);
    } else if (level === '#') {
      if (depth > 0 && this.#rules.hashMatchesParent && node.message !== undefined) found.push(node.message);
      collectBelow(node, found, depth === 0);
    } else if (level === '+') {
      for (const [name, child] of node.children) {
        if (depth > 0 || !name.startsWith('$')) this.#collect(child, wanted, depth + 1, found);
      }
    } else {
      const child = node.children.get(level);
      if (child !== undefined) this.#collect(child, wanted, depth + 1, found);
    }
  }
}

/** All below a node, itself not; `atRoot` leaves out topics that begin with `$` [MQTT-4.7.2-1]. */
function collectBelow(node: Node, found: Message[], atRoot: boolean): void {
  for (const [name, child] of node.children) {
    if (atRoot && name.startsWith('$')) continue;
    if (child.message !== undefined) found.push(child.message);
    collectBelow(child, found, false);
  }
}
