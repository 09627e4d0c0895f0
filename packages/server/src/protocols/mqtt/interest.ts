import type { Peers } from './peers.ts';
import type { Subscription } from './session.ts';

/** What sessions connected here subscribed to, each filter once however many have it. */
export class Interest {
  readonly #peers: Pick<Peers, 'wanted'>;
  readonly #counts = new Map<string, { readonly realm: string; readonly text: string; count: number }>();

  constructor(peers: Pick<Peers, 'wanted'>) {
    this.#peers = peers;
  }

  all(): readonly { readonly realm: string; readonly text: string }[] {
    return [...this.#counts.values()];
  }

  add({ session: { realm }, text }: Subscription): void {
    const key = JSON.stringify([realm, text]);
    const known = this.#counts.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    this.#counts.set(key, { realm, text, count: 1 });
    this.#peers.wanted(realm, text, true);
  }

  remove({ session: { realm }, text }: Subscription): void {
    const key = JSON.stringify([realm, text]);
    const known = this.#counts.get(key);
    if (known === undefined) return;
    known.count--;
    if (known.count > 0) return;
    this.#counts.delete(key);
    this.#peers.wanted(realm, text, false);
  }
}
