import { encodeBase64, formatRfc3339 } from '@holdfast/kernel';
import { decodeProperties, type MqttProperties, NO_PROPERTIES } from '@holdfast/wire/mqtt';
import type { SpooledMessage } from './sink-message.ts';
import type { OutgoingMessage } from './sink-peer.ts';

export interface MessageOrigin {
  /** Identity of the spool. */
  readonly spool: string;
  readonly tenant: string;
}

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Words a message for others: one JSON object without line breaks. JSON stays JSON, digit for digit; other text is
 * text, and what is no text is base64: `encoding` says which.
 */
export function outgoingMessage(message: SpooledMessage, { spool, tenant }: MessageOrigin): OutgoingMessage {
  const { at, deviceId, offset, qos, retain, topic } = message;
  const id = messageId(spool, offset);
  const { contentType, userProperties } = propertiesOf(message);
  const head = {
    id,
    tenant,
    ...(deviceId === undefined ? {} : { device: deviceId }),
    topic,
    time: formatRfc3339(at),
    qos,
    ...(retain ? { retain } : {}),
    ...(contentType === undefined ? {} : { contentType }),
    ...(userProperties === undefined ? {} : { userProperties }),
  };
  const { encoding, payload } = wordPayload(message.payload);
  const json = `${JSON.stringify(head).slice(0, -1)},"encoding":"${encoding}","payload":${payload}}`;
  return { id, offset, topic, deviceId, qos, at, json };
}

/** Names a message for ever; in the order of its spool when sorted as text. */
function messageId(spool: string, offset: number): string {
  return `${spool}-${String(offset).padStart(16, '0')}`;
}

/** @returns the payload as JSON text */
function wordPayload(bytes: Uint8Array): { readonly encoding: 'json' | 'utf8' | 'base64'; readonly payload: string } {
  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    return { encoding: 'base64', payload: `"${encodeBase64(bytes)}"` };
  }
  if (isJson(text)) return { encoding: 'json', payload: withoutSpace(text) };
  return { encoding: 'utf8', payload: JSON.stringify(text) };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Not parsed and written again: that would change numbers over 2^53, and keys that come twice. */
function withoutSpace(json: string): string {
  return json.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, '$1');
}

/** They were judged when they came; whatever they are, they do not hold up the message. */
function propertiesOf({ properties }: SpooledMessage): MqttProperties {
  if (properties.length === 0) return NO_PROPERTIES;
  try {
    return decodeProperties(properties, 'publish');
  } catch {
    return NO_PROPERTIES;
  }
}
