import { decodeUtf8, encodeUtf8 } from '@holdfast/kernel';
import {
  type AwsFormat,
  type AwsIotRequest,
  awsIotTopic,
  awsReplyTopics,
  type CertificateReply,
  decodeCertificateReply,
  decodeProvisioningRejection,
  encodeAwsPayload,
} from '@holdfast/wire/aws-iot';
import { encodePublish } from '@holdfast/wire/mqtt';
import type { MqttClient } from '../../protocols/gateway/testing/mqtt-client.ts';

/** A reply to a request on a reserved topic, or the end of the connection. */
export type Reply =
  | { readonly kind: 'accepted' | 'rejected'; readonly payload: Uint8Array }
  | { readonly kind: 'closed' };

/** Publishes to a reserved topic at QoS 0 and waits for what the server says. */
export async function askTopic(
  client: MqttClient,
  topic: string,
  payload: Uint8Array,
  version: 4 | 5 = 5,
): Promise<Reply> {
  return askBetween(client, { topic, accepted: `${topic}/accepted`, rejected: `${topic}/rejected` }, payload, version);
}

async function askBetween(
  client: MqttClient,
  { topic, accepted, rejected }: { readonly topic: string; readonly accepted: string; readonly rejected: string },
  payload: Uint8Array,
  version: 4 | 5,
): Promise<Reply> {
  const seen = client.packets.length;
  client.socket.write(encodePublish({ topic, payload }, version));
  const isReply = (told: string) => told === accepted || told === rejected;
  const packet = await client.until(
    (each) => each.kind === 'publish' && isReply(each.topic) && client.packets.indexOf(each) >= seen,
  );
  if (packet?.kind !== 'publish') return { kind: 'closed' };
  return { kind: packet.topic === accepted ? 'accepted' : 'rejected', payload: packet.payload };
}

export interface FleetOrder {
  readonly format: AwsFormat;
  /** PEM; the server makes the key when there is none. */
  readonly csrPem?: string;
  readonly serial: string;
  readonly template?: string;
}

/** AWS fleet provisioning: `allowed`, or the stable code in the rejection. */
export async function provision(client: MqttClient, order: FleetOrder): Promise<string> {
  const created = await createCertificate(client, order);
  return typeof created === 'string' ? created : registerThing(client, order, created.certificateOwnershipToken);
}

export async function createCertificate(
  client: MqttClient,
  { format, csrPem }: FleetOrder,
): Promise<string | CertificateReply> {
  const request: AwsIotRequest =
    csrPem === undefined ? { kind: 'create-keys', format } : { kind: 'create-from-csr', format };
  const payload = encodeAwsPayload(format, csrPem === undefined ? {} : { certificateSigningRequest: csrPem });
  const reply = await askBetween(client, { topic: awsIotTopic(request), ...awsReplyTopics(request) }, payload, 5);
  return reply.kind === 'accepted' ? decodeCertificateReply(format, reply.payload) : codeOf(format, reply);
}

export async function registerThing(
  client: MqttClient,
  { format, serial, template = 'default' }: FleetOrder,
  certificateOwnershipToken: string,
): Promise<string> {
  const request: AwsIotRequest = { kind: 'register-thing', template, format };
  const payload = encodeAwsPayload(format, { certificateOwnershipToken, parameters: { SerialNumber: serial } });
  const reply = await askBetween(client, { topic: awsIotTopic(request), ...awsReplyTopics(request) }, payload, 5);
  return reply.kind === 'accepted' ? 'allowed' : codeOf(format, reply);
}

/** The stable code leads the message, so that a device's log leads to the error index. */
function codeOf(format: AwsFormat, reply: Reply): string {
  if (reply.kind === 'closed') return 'closed';
  const { errorMessage } = decodeProvisioningRejection(format, reply.payload);
  return errorMessage.split(':')[0] ?? '';
}

export function jsonOf(reply: Reply): Readonly<Record<string, unknown>> {
  return reply.kind === 'closed' ? {} : (JSON.parse(decodeUtf8(reply.payload)) as Record<string, unknown>);
}

export const jsonBytes = (value: unknown): Uint8Array => encodeUtf8(JSON.stringify(value));
