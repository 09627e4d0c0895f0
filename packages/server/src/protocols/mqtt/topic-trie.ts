import type { MatchRules, Qos } from '@holdfast/wire/mqtt';
import type { Session, Subscription } from './session.ts';

/** One session that gets a message, its overlapping subscriptions merged: one copy, the highest QoS, all identifiers. */
export interface Match {
  readonly session: Session;
  readonly qos: Qos;
  readonly retainAsPublished: boolean;
  readonly subscriptionIds: readonly number[];
  /** Whether one of its subscriptions does not want the session's own messages. */
  readonly hasNoLocal: boolean;
  readonly subscriptions: readonly Subscription[];
}

export interface Matches {
  readonly own: readonly Match[];
  readonly shared: readonly SharedGroup[];
}

/** The members of one shared subscription; each message goes to one of them in turn. */
export class SharedGroup {
  readonly members: Subscription[] = [];
  #turn = 0;

  /** As subscribed, `$share/{ShareName}/` included. */
  get text(): string {
    return this.members[0]?.text ?? '';
  }

  /** The next member that `suits`. */
  pick(suits: (member: Subscription) => boolean): Subscription | undefined {
    for (let step = 0; step < this.members.length; step++) {
      const at = (this.#turn + step) % this.members.length;
      const member = this.members[at];
      if (member === undefined || !suits(member)) continue;
      this.#turn = at + 1;
      return member;
    }
    return undefined;
  }
}

interface Node {
  readonly children: Map<string, Node>;
  readonly subscriptions: Set<Subscription>;
  readonly shared: Map<string, SharedGroup>;
}

function createNode(): Node {
  return { children: new Map(), subscriptions: new Set(), shared: new Map() };
}

/** Subscriptions by the levels of their filters; `+` and `#` are levels like others. */
export class TopicTrie {
  readonly #root = createNode();
  readonly #rules: MatchRules;

  constructor(rules: MatchRules) {
    this.#rules = rules;
  }

  add(subscription: Subscription): void {
    let node = this.#root;
    for (const level of subscription.filter.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = createNode();
        node.children.set(level, child);
      }
      node = child;
    }
    if (subscription.share === undefined) {
      node.subscriptions.add(subscription);
      return;
    }
    let group = node.shared.get(subscription.share);
    if (group === undefined) {
      group = new SharedGroup();
      node.shared.set(subscription.share, group);
    }
    group.members.push(subscription);
  }

  remove(subscription: Subscription): void {
    const levels = subscription.filter.split('/');
    const path: Node[] = [this.#root];
    for (const level of levels) {
      const child = path.at(-1)?.children.get(level);
      if (child === undefined) return;
      path.push(child);
    }
    removeHere(path.at(-1), subscription);
    for (let depth = levels.length; depth > 0; depth--) {
      const node = path[depth];
      if (node === undefined || node.children.size + node.subscriptions.size + node.shared.size > 0) return;
      path[depth - 1]?.children.delete(levels[depth - 1] ?? '');
    }
  }

  match(topic: string): Matches {
    const nodes: Node[] = [];
    this.#collect(this.#root, topic.split('/'), 0, topic.startsWith('$'), nodes);
    const own = new Map<Session, Subscription[]>();
    const shared: SharedGroup[] = [];
    for (const node of nodes) {
      for (const subscription of node.subscriptions) {
        const list = own.get(subscription.session);
        if (list === undefined) own.set(subscription.session, [subscription]);
        else list.push(subscription);
      }
      shared.push(...node.shared.values());
    }
    return { own: [...own.values()].map(mergeSubscriptions), shared };
  }

  #collect(node: Node, levels: readonly string[], depth: number, reserved: boolean, found: Node[]): void {
    // Wildcards at the first level do not see topics that begin with $ [MQTT-4.7.2-1].
    const wild = depth > 0 || !reserved;
    const hash = wild ? node.children.get('#') : undefined;
    const level = levels[depth];
    if (level === undefined) {
      found.push(node);
      if (hash !== undefined && this.#rules.hashMatchesParent) found.push(hash);
      return;
    }
    if (hash !== undefined) found.push(hash);
    const exact = node.children.get(level);
    if (exact !== undefined) this.#collect(exact, levels, depth + 1, reserved, found);
    const plus = wild ? node.children.get('+') : undefined;
    if (plus !== undefined) this.#collect(plus, levels, depth + 1, reserved, found);
  }
}

function removeHere(node: Node | undefined, subscription: Subscription): void {
  if (node === undefined) return;
  if (subscription.share === undefined) {
    node.subscriptions.delete(subscription);
    return;
  }
  const group = node.shared.get(subscription.share);
  const at = group?.members.indexOf(subscription) ?? -1;
  if (group === undefined || at < 0) return;
  group.members.splice(at, 1);
  if (group.members.length === 0) node.shared.delete(subscription.share);
}

/** Several matching subscriptions of one session as one delivery [MQTT-3.3.4-2, 4]. */
export function mergeSubscriptions(subscriptions: readonly Subscription[]): Match {
  let qos: Qos = 0;
  let retainAsPublished = false;
  let hasNoLocal = false;
  const subscriptionIds: number[] = [];
  for (const subscription of subscriptions) {
    if (subscription.qos > qos) qos = subscription.qos;
    retainAsPublished ||= subscription.retainAsPublished;
    hasNoLocal ||= subscription.noLocal;
    if (subscription.subscriptionId !== undefined) subscriptionIds.push(subscription.subscriptionId);
  }
  const session = (subscriptions[0] as Subscription).session;
  return { session, qos, retainAsPublished, subscriptionIds, hasNoLocal, subscriptions };
}
