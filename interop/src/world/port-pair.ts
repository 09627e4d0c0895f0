import { connect } from 'node:net';
import { findFreePorts } from './free-ports.ts';

const ATTEMPTS = 100;

/** Two ports in a row: swtpm is controlled on the one behind its own, and its clients expect that. */
export async function pairOfPorts(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [port = 0] = await findFreePorts(1);
    if (port < 65_535 && !(await isTaken(port + 1))) return port;
  }
  throw new Error('no two free ports in a row');
}

/** Whether somebody listens there. */
export function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (taken: boolean) => (): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', end(true));
    socket.once('error', end(false));
  });
}
