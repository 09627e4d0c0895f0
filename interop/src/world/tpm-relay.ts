import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { pairOfPorts } from './port-pair.ts';
import { SwappedObjects } from './tpm-objects.ts';

/** A command or a response says its own length in its third to sixth octet. */
const HEAD = 6;

/**
 * Lets several programs use one swtpm, which serves one connection at a time and has three slots: whole commands go
 * through one by one, objects are swapped in and out. The kernel does this for `/dev/tpmrm0`.
 */
export class TpmRelay {
  /** Where programs connect; what controls swtpm listens on the next port, as it does at swtpm itself. */
  readonly port: number;
  readonly #upstream: Socket;
  readonly #servers: readonly Server[];
  readonly #clients = new Set<Socket>();
  /** Of all programs together: tpm2-tss makes a connection for each command. */
  readonly #objects = new SwappedObjects();
  #turn: Promise<void> = Promise.resolve();

  /** @param port - of swtpm @returns the relay, listening */
  static async open(port: number): Promise<TpmRelay> {
    const upstream = connect({ host: '127.0.0.1', port });
    await once(upstream, 'connect');
    const own = await pairOfPorts();
    const relay = new TpmRelay(upstream, port, own);
    for (const [at, server] of relay.#servers.entries()) {
      server.listen(own + at, '127.0.0.1');
      await once(server, 'listening');
    }
    return relay;
  }

  private constructor(upstream: Socket, swtpmPort: number, port: number) {
    this.port = port;
    this.#upstream = upstream;
    const control = (client: Socket): void => {
      const other = connect({ host: '127.0.0.1', port: swtpmPort + 1 });
      for (const socket of [client, other]) socket.on('error', () => socket.destroy());
      client.pipe(other).pipe(client);
    };
    this.#servers = [createServer((client) => this.#serve(client)), createServer(control)];
  }

  close(): void {
    for (const client of this.#clients) client.destroy();
    for (const server of this.#servers) server.close();
    this.#upstream.destroy();
  }

  #serve(client: Socket): void {
    let received = Buffer.alloc(0);
    this.#clients.add(client);
    client.on('error', () => undefined);
    client.on('close', () => this.#clients.delete(client));
    client.on('data', (part) => {
      received = Buffer.concat([received, part]);
      for (let length = lengthOf(received); length <= received.length; length = lengthOf(received)) {
        const command = received.subarray(0, length);
        received = received.subarray(length);
        this.#turn = this.#answer(client, command, this.#turn);
      }
    });
  }

  async #answer(client: Socket, command: Buffer, before: Promise<void>): Promise<void> {
    await before;
    client.write(await this.#objects.run(command, (each) => this.#exchange(each)));
  }

  async #exchange(command: Buffer): Promise<Buffer> {
    let response = Buffer.alloc(0);
    this.#upstream.write(command);
    while (response.length < lengthOf(response)) {
      const [part] = (await once(this.#upstream, 'data')) as [Buffer];
      response = Buffer.concat([response, part]);
    }
    return response;
  }
}

/** Infinite before it is known. */
function lengthOf(message: Buffer): number {
  return message.length < HEAD ? Number.POSITIVE_INFINITY : message.readUInt32BE(2);
}
