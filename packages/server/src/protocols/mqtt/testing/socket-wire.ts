import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { concatBytes } from '@holdfast/kernel';
import type { Wire } from './vectors.ts';

/** A wire over loopback TCP; what has not come after two seconds does not come. */
export async function socketWire(port: number): Promise<Wire> {
  const socket: Socket = connect(port, '127.0.0.1');
  let received: Uint8Array = new Uint8Array(0);
  let ended = false;
  let wake = (): void => undefined;
  socket.on('data', (chunk) => {
    received = concatBytes(received, chunk);
    wake();
  });
  const end = (): void => {
    ended = true;
    wake();
  };
  socket.on('end', end);
  socket.on('close', end);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return {
    send(bytes) {
      if (!ended) socket.write(bytes);
      return Promise.resolve();
    },
    async receive(length) {
      const deadline = AbortSignal.timeout(2_000);
      const isOver = (): boolean => received.length >= length || ended || deadline.aborted;
      while (!isOver()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          deadline.addEventListener('abort', () => resolve(), { once: true });
        });
      }
      const part = received.subarray(0, length);
      received = received.subarray(length);
      return part;
    },
    close: () => void socket.destroy(),
  };
}
