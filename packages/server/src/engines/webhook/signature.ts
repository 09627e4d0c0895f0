import { hmac } from '@holdfast/crypto';
import { decodeBase64, encodeBase64, encodeUtf8, type EpochMs, HoldfastError } from '@holdfast/kernel';

const PREFIX = 'whsec_';

/**
 * Reads a signing secret.
 *
 * @throws `server.bad_config` unless it is `whsec_` and 24 to 64 octets in base64.
 * @see Standard Webhooks specification, "Signature scheme"
 */
export function readWebhookSecret(text: string): Uint8Array {
  const key = text.startsWith(PREFIX) ? bytesOf(text.slice(PREFIX.length)) : undefined;
  if (key !== undefined && key.length >= 24 && key.length <= 64) return key;
  throw new HoldfastError('server.bad_config', {
    field: 'sinks',
    reason: 'a webhook secret is whsec_ and 24-64 octets in base64',
  });
}

/** The headers of one delivery, with a signature for every secret: while one is replaced both are in force. */
export function webhookHeaders(
  delivery: { readonly id: string; readonly at: EpochMs; readonly body: string },
  secrets: readonly Uint8Array[],
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(delivery.at / 1000));
  const signed = encodeUtf8(`${delivery.id}.${timestamp}.${delivery.body}`);
  const signatures = secrets.map((secret) => `v1,${encodeBase64(hmac('sha256', secret, signed))}`);
  return { 'webhook-id': delivery.id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}

function bytesOf(base64: string): Uint8Array | undefined {
  try {
    return decodeBase64(base64);
  } catch {
    return undefined;
  }
}
