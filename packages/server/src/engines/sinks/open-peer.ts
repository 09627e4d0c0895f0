import { readFileSync } from 'node:fs';
import { type Clock, HoldfastError } from '@holdfast/kernel';
import { JsonlPeer } from './jsonl-peer.ts';
import { NatsPeer } from './nats-peer.ts';
import type { SinkPeer } from './sink-peer.ts';
import type { SinkSetting } from './sink-settings.ts';
import { WebhookPeer } from './webhook-peer.ts';
import { readWebhookSecret } from '../webhook/signature.ts';

export interface PeerPorts {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const MIB = 1024 * 1024;

/** @throws `server.bad_config` when a secret or a file of the setting cannot be read */
export function openPeer(setting: SinkSetting, { clock, environment }: PeerPorts): SinkPeer {
  const secret = (reference: string) => readReference(reference, environment);
  const optional = (reference: string | undefined) => (reference === undefined ? undefined : secret(reference));
  const caPem = 'caFile' in setting && setting.caFile !== undefined ? readText(setting.caFile) : undefined;
  if (setting.kind === 'jsonl') {
    const { keepFiles, path, rotateMib } = setting;
    return new JsonlPeer({ path, keepFiles, rotateBytes: rotateMib * MIB });
  }
  if (setting.kind === 'webhook') {
    const { maxMessages, privateNetwork, secrets, timeoutSeconds, url } = setting;
    const keys = secrets.map((reference) => readWebhookSecret(secret(reference)));
    return new WebhookPeer({
      url,
      secrets: keys,
      privateNetwork,
      caPem,
      maxMessages,
      timeoutMs: timeoutSeconds * 1000,
      clock,
    });
  }
  const { credentials, jetStream, password, prefix, servers, token, user } = setting;
  return new NatsPeer({
    servers,
    prefix,
    jetStream,
    user,
    caPem,
    clock,
    token: optional(token),
    password: optional(password),
    credentials: optional(credentials),
  });
}

/** What `file:PATH` or `env:NAME` leads to, without white space around it. */
function readReference(reference: string, environment: PeerPorts['environment']): string {
  const [, scheme, name = ''] = /^(file|env):(.+)$/s.exec(reference) ?? [];
  const text = scheme === 'file' ? readText(name) : environment[name];
  if (text === undefined || text.trim() === '') {
    throw new HoldfastError('server.bad_config', { field: 'sinks', reason: 'a secret is empty or missing' });
  }
  return text.trim();
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('server.bad_config', { field: 'sinks', file }, { cause });
  }
}
