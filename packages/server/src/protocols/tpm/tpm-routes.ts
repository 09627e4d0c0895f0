import { HoldfastError } from '@holdfast/kernel';
import type { TpmContext, TpmEnrollment } from '@holdfast/trust/identity';
import type { Tenant } from '@holdfast/trust/ports';
import { isMediaType } from '@holdfast/wire/est';
import {
  decodeTpmAnswer,
  decodeTpmEnrollmentRequest,
  encodeTpmChallenge,
  encodeTpmEnrolled,
  TPM_ENROLLMENT_PATHS,
} from '@holdfast/wire/tpm2';
import type { DeviceRequest, DeviceResponse, DeviceRoute } from '../https/device-route.ts';

export interface TpmRoutePorts {
  readonly tpmEnrollment: Pick<TpmEnrollment, 'challenge' | 'enroll'>;
  readonly tenant: Tenant;
}

const JSON_TYPE = 'application/json';
/** Three certificates, three public areas and a request, in base64. */
const MAX_REQUEST = 40 * 1024;

/** Enrollment by the endorsement key of a TPM; on the listener without client certificates alone. */
export function tpmRoutes({ tpmEnrollment, tenant }: TpmRoutePorts): readonly DeviceRoute[] {
  const steps: readonly (readonly [string, (body: Uint8Array, context: TpmContext) => Promise<Uint8Array>])[] = [
    [
      TPM_ENROLLMENT_PATHS.challenge,
      async (body, context) =>
        encodeTpmChallenge(await tpmEnrollment.challenge(decodeTpmEnrollmentRequest(body), context)),
    ],
    [
      TPM_ENROLLMENT_PATHS.enroll,
      async (body, context) => encodeTpmEnrolled(await tpmEnrollment.enroll(decodeTpmAnswer(body), context)),
    ],
  ];
  return steps.map(([path, answer]) => ({
    method: 'POST',
    path,
    audience: ['anyone'],
    maxBodyBytes: MAX_REQUEST,
    handle: async (request: DeviceRequest): Promise<DeviceResponse> => {
      if (!isMediaType(request.headers['content-type'], JSON_TYPE)) throw new HoldfastError('identity.media_type');
      const body = await answer(request.body, { tenant, remoteAddress: request.remoteAddress });
      return { status: 200, headers: { 'content-type': JSON_TYPE, 'cache-control': 'no-store' }, body };
    },
  }));
}
