import { encodePem } from '@holdfast/wire/pem';
import type { Rooms } from './rooms.ts';

/** Whose certificates devices may show: our authorities, and those of other makers that are registered. */
export class DeviceTrust {
  readonly #rooms: Rooms;
  #manufacturers: readonly Uint8Array[] = [];

  private constructor(rooms: Rooms) {
    this.#rooms = rooms;
  }

  static async open(rooms: Rooms): Promise<DeviceTrust> {
    const trust = new DeviceTrust(rooms);
    await trust.refresh();
    return trust;
  }

  /** PEM, one certificate each. */
  get clientCas(): readonly string[] {
    return [...this.#rooms.authority.trustedDer, ...this.#manufacturers].map((der) => encodePem('CERTIFICATE', der));
  }

  async refresh(): Promise<void> {
    this.#manufacturers = await this.#rooms.repositories.manufacturers.trusted();
  }
}
