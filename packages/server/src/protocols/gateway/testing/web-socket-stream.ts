import { randomBytes } from 'node:crypto';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

export interface WebSocketWish {
  readonly path?: string;
  /** Value of Sec-WebSocket-Protocol; null leaves it out. */
  readonly protocol?: string | null;
  readonly headers?: readonly string[];
  /** Bytes of a frame at most, so that packets are split as a sender may. */
  readonly frameBytes?: number;
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The client's end of a WebSocket (RFC 6455) over a TLS connection, as a byte stream; nothing of it is checked. */
export class WebSocketStream extends Duplex {
  /** Status line and headers of the answer. */
  answer = '';
  /** Code of the close frame that came. */
  closeCode: number | undefined;
  pongs = 0;
  readonly #socket: TLSSocket;
  readonly #frameBytes: number;
  readonly #waiting: (() => void)[] = [];
  #received = Buffer.alloc(0);

  constructor(socket: TLSSocket, wish: WebSocketWish = {}) {
    super();
    const { path = '/mqtt', protocol = 'mqtt', headers = [], frameBytes = 65_535 } = wish;
    this.#socket = socket;
    this.#frameBytes = frameBytes;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.once('close', () => this.push(null));
    const lines = [
      `GET ${path} HTTP/1.1`,
      'Host: localhost',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      ...(protocol === null ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
      ...headers,
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  }

  get status(): number {
    return Number(this.answer.split(' ')[1] ?? '0');
  }

  /** Sends one frame as it is told to. */
  send(opcode: number, payload: Uint8Array, options: { readonly fin?: boolean; readonly masked?: boolean } = {}): void {
    const { fin = true, masked = true } = options;
    const length =
      payload.length < 126
        ? Buffer.from([payload.length])
        : payload.length < 65_536
          ? Buffer.from([126, payload.length >> 8, payload.length & 0xff])
          : Buffer.from([
              127,
              0,
              0,
              0,
              0,
              payload.length >>> 24,
              payload.length >>> 16,
              payload.length >>> 8,
              payload.length,
            ]);
    if (masked) length[0] = (length[0] ?? 0) | 0x80;
    const mask = randomBytes(4);
    const body = masked ? Buffer.from(payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))) : payload;
    const head = Buffer.from([(fin ? 0x80 : 0) | opcode]);
    this.#socket.write(Buffer.concat([head, length, masked ? mask : Buffer.alloc(0), body]));
  }

  override _read(): void {
    // What comes is pushed as it comes.
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#whenOpen(() => {
      for (let at = 0; at < chunk.length; at += this.#frameBytes) {
        this.send(OPCODE.binary, chunk.subarray(at, at + this.#frameBytes));
      }
      done();
    });
  }

  #whenOpen(action: () => void): void {
    if (this.answer === '') this.#waiting.push(action);
    else action();
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    if (this.answer === '') {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.answer = this.#received.subarray(0, end).toString('latin1');
      this.#received = this.#received.subarray(end + 4);
      if (this.status === 101) for (const action of this.#waiting.splice(0)) action();
    }
    if (this.status === 101) while (this.#readFrame());
  }

  #readFrame(): boolean {
    const bytes = this.#received;
    const [first = 0, short = 0] = bytes;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (bytes.length < 2 + lengthBytes) return false;
    const length = lengthBytes === 0 ? short : bytes.readUIntBE(lengthBytes === 8 ? 4 : 2, lengthBytes === 8 ? 6 : 2);
    const end = 2 + lengthBytes + length;
    if (bytes.length < end) return false;
    const payload = bytes.subarray(2 + lengthBytes, end);
    this.#received = bytes.subarray(end);
    const opcode = first & 0x0f;
    if (opcode === OPCODE.binary) this.push(Buffer.from(payload));
    else if (opcode === OPCODE.pong) this.pongs++;
    else if (opcode === OPCODE.close) {
      this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
      this.send(OPCODE.close, payload);
    }
    return true;
  }
}
