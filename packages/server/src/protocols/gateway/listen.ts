import type { AddressInfo, Server } from 'node:net';
import { HoldfastError } from '@holdfast/kernel';

const BACKLOG = 4_096;

/**
 * Starts a listener; port 0 takes a free one.
 *
 * @returns the port in use.
 * @throws `server.port_taken`; what else the system says is thrown as it is.
 */
export async function listenOn(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE' ? new HoldfastError('server.port_taken', { host, port }, { cause: error }) : error,
      );
    server.once('error', fail);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', fail);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}
