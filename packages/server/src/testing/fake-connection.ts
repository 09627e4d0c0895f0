import { decodeUtf8 } from '@holdfast/kernel';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import type { MqttPrincipal, ReservedAsker } from '../protocols/mqtt/ports.ts';

interface Reply {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly unpoliced: boolean;
}

/** A connection as the MQTT core shows it, that remembers what it was told. */
export interface FakeConnection {
  readonly asker: ReservedAsker;
  readonly replies: Reply[];
  readonly violations: string[];
  /** The last reply as JSON, with its topic. */
  last(): { readonly topic: string; readonly body: Readonly<Record<string, unknown>> };
}

export function fakeConnection(connectionId: string): FakeConnection {
  const replies: Reply[] = [];
  const violations: string[] = [];
  const principal: MqttPrincipal = {
    sessionKey: connectionId,
    realm: 'default',
    persistentAllowed: true,
    mayConnect: () => true,
    mayPublish: () => true,
    maySubscribe: () => true,
    mayReceive: () => true,
    onViolation: (action, resource) => void violations.push(`${action} ${resource}`),
  };
  return {
    asker: {
      connectionId,
      clientId: connectionId,
      version: 4,
      principal,
      reply: (topic, payload, options) => void replies.push({ topic, payload, unpoliced: options?.unpoliced === true }),
    },
    replies,
    violations,
    last() {
      const reply = replies.at(-1);
      if (reply === undefined) throw new Error('no reply');
      return { topic: reply.topic, body: JSON.parse(decodeUtf8(reply.payload)) as Readonly<Record<string, unknown>> };
    },
  };
}

export const deviceNamed = (deviceId: string): DevicePrincipal => ({
  kind: 'device',
  tenant: 'default',
  deviceId,
  fingerprint: '00'.repeat(32),
});
