import { existsSync } from 'node:fs';
import path from 'node:path';
import { type ApiClient, createClient } from '@holdfast/api';
import { request } from 'node:http';
import { HoldfastError } from '@holdfast/kernel';
import { exchange } from './exchange.ts';

/** Name of the management socket in the data folder. */
const SOCKET_NAME = 'holdfast.sock';

/** Linux refuses longer socket paths (sockaddr_un). */
const MAX_SOCKET_PATH = 107;

/** A client over the Unix socket of the server that runs on `dataFolder`. Whoever may open the socket is the operator. */
export function createLocalClient(dataFolder: string): ApiClient {
  const socketPath = socketPathOf(dataFolder);
  return createClient((apiRequest) => {
    const unreachable = (cause?: unknown) => new HoldfastError('server.unreachable', { socket: socketPath }, { cause });
    if (!existsSync(socketPath)) return Promise.reject(unreachable());
    return exchange(apiRequest, (options) => request({ ...options, socketPath }), unreachable);
  });
}

/** The socket's path, relative when the absolute one would be too long for the system. */
export function socketPathOf(dataFolder: string): string {
  const absolute = path.resolve(dataFolder, SOCKET_NAME);
  return absolute.length <= MAX_SOCKET_PATH ? absolute : path.relative(process.cwd(), absolute);
}
