import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

interface NatsMessage {
  readonly subject: string;
  readonly payload: string;
}

const REPLIES = '_reply';
const LINE = /^(.*)\r\n/;

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
    for (let line = LINE.exec(this.#text)?.[1]; line !== undefined; line = LINE.exec(this.#text)?.[1]) {
      // MSG subject sid [reply] total; HMSG subject sid [reply] headers total
      const [verb, subject = '', ...numbers] = line.split(' ');
      const carries = verb === 'MSG' || verb === 'HMSG';
      if (verb === 'PING') this.#socket.write('PONG\r\n');
      const start = line.length + 2;
      const end = start + (carries ? Number(numbers.at(-1)) + 2 : 0);
      if (this.#text.length < end) return;
      const headers = verb === 'HMSG' ? Number(numbers.at(-2)) : 0;
      if (carries) this.#got({ subject, payload: this.#text.slice(start + headers, end - 2) });
      this.#text = this.#text.slice(end);
    }
  }

  #got(message: NatsMessage): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#messages.push(message);
    else waiting(message);
  }
}
