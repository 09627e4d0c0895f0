import { type AwsMembers, decodeAwsPayload, encodeAwsPayload } from './payload.ts';
import { integer, optional, readShape, type Shape, type ShapeOf, text, textMap } from './shape.ts';
import type { AwsFormat } from './topics.ts';

const MAX_CSR = 16_384;
const MAX_PEM = 65_536;

const STRINGS = textMap({ maxPairs: 64, maxBytes: 16_384, key: text(128), value: text(4096) });

const CREATE_FROM_CSR = { certificateSigningRequest: text(MAX_CSR) } as const satisfies Shape;

const REGISTER_THING = {
  certificateOwnershipToken: text(4096),
  parameters: optional(STRINGS),
} as const satisfies Shape;

const CERTIFICATE_REPLY = {
  certificateId: text(64, /^[0-9a-f]{64}$/),
  certificatePem: text(MAX_PEM),
  privateKey: optional(text(MAX_PEM)),
  certificateOwnershipToken: text(4096),
} as const satisfies Shape;

const REGISTER_THING_REPLY = { deviceConfiguration: STRINGS, thingName: text(128) } as const satisfies Shape;

const REJECTION = {
  statusCode: integer(100, 599),
  errorCode: text(128),
  errorMessage: text(4096),
} as const satisfies Shape;

export type CreateFromCsrRequest = ShapeOf<typeof CREATE_FROM_CSR>;
export type RegisterThingRequest = ShapeOf<typeof REGISTER_THING>;

/** `privateKey` (PEM) only where the service made the key. `certificatePem` is the leaf alone: devices hold 2 KB. */
export type CertificateReply = ShapeOf<typeof CERTIFICATE_REPLY>;
export type RegisterThingReply = ShapeOf<typeof REGISTER_THING_REPLY>;
export type ProvisioningRejection = ShapeOf<typeof REJECTION>;

/** @throws `wire.malformed` */
export function readCreateFromCsr(members: AwsMembers): CreateFromCsrRequest {
  return readShape(members, CREATE_FROM_CSR);
}

/** @throws `wire.malformed` */
export function readRegisterThing(members: AwsMembers): RegisterThingRequest {
  return readShape(members, REGISTER_THING);
}

/** @throws `wire.malformed` */
export function decodeCertificateReply(format: AwsFormat, payload: Uint8Array): CertificateReply {
  return readShape(decodeAwsPayload(format, payload), CERTIFICATE_REPLY);
}

/** @throws `wire.malformed` */
export function decodeRegisterThingReply(format: AwsFormat, payload: Uint8Array): RegisterThingReply {
  return readShape(decodeAwsPayload(format, payload), REGISTER_THING_REPLY);
}

/** @throws `wire.malformed` */
export function decodeProvisioningRejection(format: AwsFormat, payload: Uint8Array): ProvisioningRejection {
  return readShape(decodeAwsPayload(format, payload), REJECTION);
}

/** Told when a certificate of a registered authority came in and waits to be activated (JITR). */
export const certificateRegisteredTopic = (caCertificateId: string): string =>
  `$aws/events/certificates/registered/${caCertificateId}`;

/** @see AWS IoT developer guide, "Automatically register device certificates" */
export function encodeCertificateRegistered(registered: {
  readonly certificateId: string;
  readonly caCertificateId: string;
  /** Milliseconds since the epoch, both. */
  readonly at: number;
  readonly registeredAt: number;
  readonly account: string;
}): Uint8Array {
  const { certificateId, caCertificateId, at, registeredAt, account } = registered;
  return encodeAwsPayload('json', {
    certificateId,
    caCertificateId,
    timestamp: at,
    certificateStatus: 'PENDING_ACTIVATION',
    awsAccountId: account,
    certificateRegistrationTimestamp: `${registeredAt}`,
  });
}

/** Encodes any of the payloads above. @see AWS IoT developer guide, "Device provisioning MQTT API" */
export function encodeProvisioning(
  format: AwsFormat,
  payload: CreateFromCsrRequest | RegisterThingRequest | CertificateReply | RegisterThingReply | ProvisioningRejection,
): Uint8Array {
  return encodeAwsPayload(format, payload);
}
