import { HoldfastError } from '@holdfast/kernel';
import type { CertificateWish, EnrollmentContext, EnrollmentDoor, PendingCertificate } from '@holdfast/trust/identity';
import {
  type AwsFormat,
  type AwsIotRequest,
  type AwsMembers,
  awsReplyTopics,
  type CertificateReply,
  decodeAwsPayload,
  encodeProvisioning,
  readCreateFromCsr,
  readRegisterThing,
  type RegisterThingReply,
} from '@holdfast/wire/aws-iot';
import { decodePemBlocks, encodePem } from '@holdfast/wire/pem';
import { provisioningWord } from './error-words.ts';
import type { ClaimRequest } from './request.ts';
import type { RequestRate } from './request-rate.ts';

export type ProvisioningAsked = Extract<
  AwsIotRequest,
  { readonly kind: 'create-keys' | 'create-from-csr' | 'register-thing' }
>;

export interface ProvisioningTopicsPorts {
  readonly enrollment: EnrollmentDoor;
  readonly rate: RequestRate;
}

/** Fleet provisioning by claim. @see AWS IoT developer guide, "Device provisioning MQTT API" */
export class ProvisioningTopics {
  readonly #ports: ProvisioningTopicsPorts;

  constructor(ports: ProvisioningTopicsPorts) {
    this.#ports = ports;
  }

  async answer(request: ClaimRequest<ProvisioningAsked>): Promise<void> {
    const { asker, asked } = request;
    const topics = awsReplyTopics(asked);
    try {
      await this.#ports.rate.take(asker.connectionId);
      const reply = await this.#reply(request, decodeAwsPayload(asked.format, request.payload));
      asker.reply(topics.accepted, encodeProvisioning(asked.format, reply));
    } catch (error) {
      asker.reply(topics.rejected, encodeProvisioning(asked.format, provisioningWord(error)));
    }
  }

  async #reply(
    { asker, asked, claim, remoteAddress }: ClaimRequest<ProvisioningAsked>,
    members: AwsMembers,
  ): Promise<CertificateReply | RegisterThingReply> {
    const { enrollment } = this.#ports;
    const { connectionId, clientId } = asker;
    const context: EnrollmentContext = { connectionId, remoteAddress, door: 'aws-claim', clientId };
    if (asked.kind !== 'register-thing') {
      const wish: CertificateWish =
        asked.kind === 'create-keys' ? { serverKey: true } : { csrDer: csrOf(readCreateFromCsr(members)) };
      return certificateReply(await enrollment.createCertificate(claim, wish, context));
    }
    const { certificateOwnershipToken, parameters = {} } = readRegisterThing(members);
    const wish = { template: asked.template, ownershipToken: certificateOwnershipToken, parameters };
    const { deviceId, deviceConfiguration } = await enrollment.registerThing(claim, wish, context);
    return { deviceConfiguration, thingName: deviceId };
  }
}

/** Refuses whom provisioning is not for, without asking the registry. */
export function refuseProvisioning(
  asker: ClaimRequest<ProvisioningAsked>['asker'],
  asked: ProvisioningAsked & { readonly format: AwsFormat },
): void {
  const word = provisioningWord(new HoldfastError('identity.certificate_purpose'));
  asker.reply(awsReplyTopics(asked).rejected, encodeProvisioning(asked.format, word));
}

const CSR_LABELS = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']); // RFC 7468 section 7

/** @throws `identity.bad_csr` */
function csrOf({ certificateSigningRequest }: { readonly certificateSigningRequest: string }): Uint8Array {
  const blocks = decodePemBlocks(certificateSigningRequest);
  const [block] = blocks;
  if (block === undefined || blocks.length !== 1 || !CSR_LABELS.has(block.label)) {
    throw new HoldfastError('identity.bad_csr', { blocks: blocks.length });
  }
  return block.bytes;
}

/** The leaf alone, without its chain: stock clients hold 2 KB for the whole message. */
function certificateReply(pending: PendingCertificate): CertificateReply {
  const { privateKeyPkcs8 } = pending;
  return {
    certificateId: pending.certificateId,
    certificatePem: encodePem('CERTIFICATE', pending.certificateDer),
    privateKey: privateKeyPkcs8 === undefined ? undefined : encodePem('PRIVATE KEY', privateKeyPkcs8),
    certificateOwnershipToken: pending.ownershipToken,
  };
}
