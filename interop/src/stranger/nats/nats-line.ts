import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

interface NatsMessage {
  readonly subject: string;
  readonly payload: string;
}

const REPLIES = '_reply';
const HEAD = /^(?:PING|PONG|INFO .*|\+OK|-ERR .*|(H?)MSG (\S+) \S+ (?:\S+ )?(?:(\d+) )?(\d+))\r\n/;

/**
 * A subscriber that speaks the text protocol itself, so that what arrives is not judged by the library that sent it.
 *
 * @see https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
export class NatsLine {
  readonly #socket: Socket;
  readonly #waiting: ((message: NatsMessage) => void)[] = [];
  readonly #messages: NatsMessage[] = [];
  #text = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#read(chunk));
    socket.on('error', () => undefined);
  }

  static async open(host: string, port: number): Promise<NatsLine> {
    const socket = connect({ host, port });
    await once(socket, 'connect');
    const line = new NatsLine(socket);
    socket.write('CONNECT {"verbose":false,"headers":true,"protocol":1}\r\n');
    return line;
  }

  /** Resolves when the server has read it. */
  async subscribe(subject: string): Promise<void> {
    this.#socket.write(`SUB ${subject} 1\r\n`);
    await this.#ask('PUB _ready _reply 0\r\n\r\n', '_ready');
  }

  /** The next message. */
  next(): Promise<NatsMessage> {
    const known = this.#messages.shift();
    return known === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(known);
  }

  /** Asks JetStream's own API. */
  async api(name: string, request: object): Promise<string> {
    const body = JSON.stringify(request);
    this.#socket.write(`SUB ${REPLIES} 2\r\n`);
    return this.#ask(`PUB $JS.API.${name} ${REPLIES} ${body.length}\r\n${body}\r\n`, REPLIES);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask(command: string, subject: string): Promise<string> {
    this.#socket.write(subject === REPLIES ? command : `SUB ${subject} 3\r\n${command}`);
    for (;;) {
      const message = await this.next();
      if (message.subject === subject) return message.payload;
    }
  }

  #read(chunk: string): void {
    this.#text += chunk;
    for (let head = HEAD.exec(this.#text); head !== null; head = HEAD.exec(this.#text)) {
      const [line, , subject, headers = '0', total] = head;
      if (line === 'PING\r\n') this.#socket.write('PONG\r\n');
      const end = line.length + (total === undefined ? 0 : Number(total) + 2);
      if (this.#text.length < end) return;
      if (subject !== undefined)
        this.#got({ subject, payload: this.#text.slice(line.length + Number(headers), end - 2) });
      this.#text = this.#text.slice(end);
    }
  }

  #got(message: NatsMessage): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#messages.push(message);
    else waiting(message);
  }
}
