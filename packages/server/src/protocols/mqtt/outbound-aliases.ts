/** Topic aliases that the server assigns on one connection, first come, first served (MQTT 5, 3.3.2.3.4). */
export class OutboundAliases {
  readonly #maximum: number;
  readonly #aliases = new Map<string, number>();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** The alias of a topic and whether the client knows it already; undefined when there is none to give. */
  of(topic: string): { readonly alias: number; readonly known: boolean } | undefined {
    const known = this.#aliases.get(topic);
    if (known !== undefined) return { alias: known, known: true };
    if (this.#aliases.size >= this.#maximum) return undefined;
    const alias = this.#aliases.size + 1;
    this.#aliases.set(topic, alias);
    return { alias, known: false };
  }

  /** Takes back the alias just given: the packet that would have told it is not sent. */
  withdraw(topic: string): void {
    this.#aliases.delete(topic);
  }
}
