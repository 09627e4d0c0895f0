import { createHash } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { FACTORY_OPERATIONS, LEAST_ROLE, type OperationName, type OperatorRole } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import { roleSuffices } from '@holdfast/trust/identity';
import type { Fingerprint } from '@holdfast/trust/ports';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/**
 * The certificate a client showed on its connection; undefined when it showed none. A resumed session has it too.
 *
 * @throws `request.unauthenticated` for one that our authority did not sign
 */
export function shownCertificate(request: FastifyRequest): Fingerprint | undefined {
  const { socket } = request.raw;
  if (!(socket instanceof TLSSocket)) return undefined;
  const raw = socket.getPeerX509Certificate()?.raw;
  if (raw === undefined) return undefined;
  if (!socket.authorized) throw new HoldfastError('request.unauthenticated');
  return createHash('sha256').update(raw).digest('hex');
}

/** @throws `request.forbidden` when the role is not enough */
export function checkRole(name: OperationName, role: OperatorRole): void {
  const least = LEAST_ROLE[name];
  const isAllowed = role === 'factory' ? FACTORY_OPERATIONS.has(name) : roleSuffices(role, least);
  if (!isAllowed) throw new HoldfastError('request.forbidden', { operation: name, role, needs: least });
}

/** The open connections of each certificate, so that a revocation ends what is under way. */
export class OperatorConnections {
  readonly #sockets = new Map<Fingerprint, Set<TLSSocket>>();

  constructor(app: FastifyInstance) {
    app.server.on('secureConnection', (socket: TLSSocket) => {
      const raw = socket.getPeerX509Certificate()?.raw;
      if (raw === undefined) return;
      const fingerprint = createHash('sha256').update(raw).digest('hex');
      const own = this.#sockets.get(fingerprint) ?? new Set();
      this.#sockets.set(fingerprint, own.add(socket));
      socket.once('close', () => {
        own.delete(socket);
        if (own.size === 0) this.#sockets.delete(fingerprint);
      });
    });
  }

  cut(fingerprint: Fingerprint): void {
    for (const socket of this.#sockets.get(fingerprint) ?? []) socket.destroy();
  }
}
