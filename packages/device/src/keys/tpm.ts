import { ByteReader, HoldfastError } from '@holdfast/kernel';
import {
  decodeTpmResponse,
  describeTpmCode,
  encodeTpmRequest,
  isUnknownHandle,
  TPM_RC,
  type TpmCall,
  tpmCalls,
} from '@holdfast/wire/tpm2';
import { openTpmTransport, type TpmTransport } from './tpm-transport.ts';

/** One TPM, one command at a time. */
export class Tpm {
  readonly #transport: TpmTransport;
  #last: Promise<unknown> = Promise.resolve();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(transport: TpmTransport) {
    this.#transport = transport;
  }

  /** @param address - see `openTpmTransport` @throws `device.tpm_unreachable`, `device.tpm_address`, `device.tpm_refused` */
  static async open(address: string): Promise<Tpm> {
    const tpm = new Tpm(await openTpmTransport(address));
    await tpm.startUp();
    return tpm;
  }

  /** A TPM that firmware has started already says so, and that is well. */
  async startUp(): Promise<void> {
    await this.#attempt(tpmCalls.startup(), (code) => code === TPM_RC.initialize);
  }

  /** @throws `device.tpm_refused` with the TPM's response code, `device.tpm_unreachable`, `wire.*` */
  async run<T>(call: TpmCall<T>): Promise<T> {
    const result = await this.#attempt(call, () => false);
    if (result === undefined) throw new HoldfastError('device.tpm_refused', { command: call.command });
    return result.value;
  }

  /** As `run`; undefined when the TPM has no such handle. */
  async find<T>(call: TpmCall<T>): Promise<T | undefined> {
    return (await this.#attempt(call, isUnknownHandle))?.value;
  }

  /** Runs work that loads objects when no other does: without a resource manager a TPM has three slots. Never nested. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn;
    return turn;
  }

  /** Uses a transient object or session and takes it out of its slot again, whatever happens. */
  async using<T>(opening: TpmCall<number>, use: (handle: number) => Promise<T>): Promise<T> {
    const handle = await this.run(opening);
    try {
      return await use(handle);
    } finally {
      await this.#attempt(tpmCalls.flushContext(handle), () => true);
    }
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
    await this.#transport.close();
  }

  async #attempt<T>(call: TpmCall<T>, isExpected: (code: number) => boolean): Promise<{ value: T } | undefined> {
    const send = (): Promise<Uint8Array> => this.#transport.send(encodeTpmRequest(call));
    const turn = this.#last.then(send, send);
    this.#last = turn;
    const response = decodeTpmResponse(call.command, await turn);
    if (response.kind === 'done') return { value: call.read(new ByteReader(response.parameters), response.handles) };
    if (isExpected(response.code)) return undefined;
    throw new HoldfastError('device.tpm_refused', { command: call.command, response: describeTpmCode(response.code) });
  }
}
