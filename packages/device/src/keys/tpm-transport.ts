import { type FileHandle, open } from 'node:fs/promises';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { concatBytes, HoldfastError } from '@holdfast/kernel';
import { MAX_TPM_MESSAGE, tpmMessageLength } from '@holdfast/wire/tpm2';

/** Carries one command to a TPM and its response back; never two at once. */
export interface TpmTransport {
  /** @throws `device.tpm_unreachable` */
  send(command: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens a TPM by its address: `device:/dev/tpmrm0` (the kernel's resource manager), `swtpm:host=H,port=P` or
 * `swtpm:path=/socket` for the raw commands that `swtpm socket --server` takes.
 *
 * @throws `device.tpm_unreachable` when nothing answers there; `device.tpm_address` for another form
 */
export async function openTpmTransport(address: string): Promise<TpmTransport> {
  const [, kind, rest = ''] = /^(device|swtpm):(.+)$/.exec(address) ?? [];
  if (kind === 'device') return new FileTransport(await reach(open(rest, 'r+')));
  const fields = new Map(rest.split(',').map((each) => each.split('=', 2) as [string, string]));
  const port = Number(fields.get('port'));
  const path = fields.get('path');
  const isPort = Number.isInteger(port) && port > 0 && port < 65_536;
  if (kind !== 'swtpm' || (path === undefined && !isPort)) throw new HoldfastError('device.tpm_address');
  return SocketTransport.open(path === undefined ? { host: fields.get('host') ?? '127.0.0.1', port } : { path });
}

/** A character device: one write is one command, one read its response. */
class FileTransport implements TpmTransport {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async send(command: Uint8Array): Promise<Uint8Array> {
    const response = new Uint8Array(MAX_TPM_MESSAGE);
    await reach(this.#file.write(command));
    const { bytesRead } = await reach(this.#file.read(response, 0, response.length, null));
    return response.subarray(0, bytesRead);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** A stream socket: the size field in front says where a response ends. */
class SocketTransport implements TpmTransport {
  readonly #socket: Socket;
  #received: Uint8Array = new Uint8Array();
  #waiting: { resolve: (response: Uint8Array) => void; reject: (error: unknown) => void } | undefined;

  static open(where: NetConnectOpts): Promise<SocketTransport> {
    return new Promise((resolve, reject) => {
      const socket = connect(where);
      const refuse = (cause: Error): void => reject(unreachable(cause));
      socket.once('error', refuse);
      socket.once('connect', () => {
        socket.off('error', refuse);
        resolve(new SocketTransport(socket));
      });
    });
  }

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (part) => this.#take(part));
    socket.on('error', (error) => this.#fail(unreachable(error)));
    socket.on('close', () => this.#fail(unreachable()));
  }

  send(command: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed || this.#waiting !== undefined) return reject(unreachable());
      this.#waiting = { resolve, reject };
      this.#socket.write(command);
    });
  }

  close(): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }

  #take(part: Uint8Array): void {
    this.#received = concatBytes(this.#received, part);
    try {
      const length = tpmMessageLength(this.#received);
      if (length === undefined || this.#received.length < length) return;
      const waiting = this.#waiting;
      const response = this.#received.slice(0, length);
      this.#received = this.#received.subarray(length);
      this.#waiting = undefined;
      waiting?.resolve(response);
    } catch (error) {
      this.#socket.destroy();
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

async function reach<T>(attempt: Promise<T>): Promise<T> {
  try {
    return await attempt;
  } catch (cause) {
    throw unreachable(cause);
  }
}

function unreachable(cause?: unknown): HoldfastError {
  return new HoldfastError('device.tpm_unreachable', {}, cause === undefined ? {} : { cause });
}
