/** Whether this server does what one of several does for all. One that is alone always does. */
export class Leadership {
  #leads: () => boolean = () => true;

  leads(): boolean {
    return this.#leads();
  }

  /** From now on it is one of several. */
  follow(membership: { readonly leads: boolean }): void {
    this.#leads = () => membership.leads;
  }
}
