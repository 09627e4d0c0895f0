import { HoldfastError } from '@holdfast/kernel';

/** Which line named a device id or a serial number first; most devices have one name for both, kept once. */
export class NameBook {
  readonly #both = new Map<string, number>();
  readonly #ids = new Map<string, number>();
  readonly #serials = new Map<string, number>();

  /** @throws `cli.bad_table` when an earlier line has the id or the serial number */
  note(line: number, id: string, serial: string): void {
    refuseSecond('id', line, this.#both.get(id) ?? this.#ids.get(id));
    refuseSecond('serial', line, this.#both.get(serial) ?? this.#serials.get(serial));
    if (id === serial) {
      this.#both.set(id, line);
      return;
    }
    this.#ids.set(id, line);
    this.#serials.set(serial, line);
  }
}

function refuseSecond(what: 'id' | 'serial', line: number, before: number | undefined): void {
  if (before !== undefined) throw new HoldfastError('cli.bad_table', { line, reason: `${what} as in line ${before}` });
}
