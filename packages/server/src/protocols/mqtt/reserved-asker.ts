import type { Client } from './client.ts';
import { Message } from './message.ts';
import type { ReservedAsker } from './ports.ts';

const NO_BYTES = new Uint8Array(0);

/** A client as the router of reserved topics sees it. */
export function reservedAsker(client: Client): ReservedAsker {
  const { connectionId, clientId } = client.info;
  return {
    connectionId,
    clientId,
    version: client.version,
    principal: client.principal,
    reply: (topic, payload, options) => reply(client, topic, payload, options?.unpoliced === true),
  };
}

/** One copy to this connection: at QoS 1 when it subscribed with 1 or more, else at QoS 0. */
function reply(client: Client, topic: string, payload: Uint8Array, unpoliced: boolean): void {
  if (!client.control.active) return;
  const { own } = client.services.router.space(client.info.realm).match(topic);
  const match = own.find(({ session }) => session === client.session);
  const qos = match !== undefined && match.qos > 0 ? 1 : 0;
  const message = new Message({
    realm: client.info.realm,
    topic,
    payload,
    qos,
    retain: false,
    properties: NO_BYTES,
    expiresAt: undefined,
    publisher: '',
  });
  client.session.outbound.deliver(message, qos, false, match?.subscriptionIds ?? [], unpoliced);
}
