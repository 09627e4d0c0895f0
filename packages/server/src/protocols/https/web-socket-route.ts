import { HoldfastError } from '@holdfast/kernel';
import { WEB_SOCKET_PATH } from '../gateway/index.ts';
import type { DeviceRoute } from './device-route.ts';
import { problem } from './problem.ts';

/** Tells who asks without an upgrade, or with one that is not served, what this path is for. */
export const WEB_SOCKET_ROUTE: DeviceRoute = {
  method: 'GET',
  path: WEB_SOCKET_PATH,
  audience: ['device', 'claim'],
  maxBodyBytes: 0,
  handle: () => Promise.reject(new HoldfastError('communication.upgrade_required')),
  // RFC 9110 section 15.5.22.
  wordError: (error) =>
    HoldfastError.is(error, 'communication.upgrade_required')
      ? problem('communication.upgrade_required', { upgrade: 'websocket', connection: 'upgrade' })
      : undefined,
};
