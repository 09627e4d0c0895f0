import { envelopePrivateKey, type KeyPackageSigner } from '@holdfast/crypto';
import { HoldfastError, type Random } from '@holdfast/kernel';
import type { DirectEnrollment, EnrollmentContext, EnrollmentDoor, ServerKeyDoor } from '@holdfast/trust/identity';
import type { EnrollmentTerms, OneTimePassword, ProductRepository } from '@holdfast/trust/ports';
import { encodeCertsOnly } from '@holdfast/wire/cms';
import {
  decodeEstBody,
  deviceCsrAttributes,
  encodeCsrAttributes,
  EST_MEDIA,
  EST_OPERATIONS,
  EST_ROOT,
  type EstOperation,
  isMediaType,
} from '@holdfast/wire/est';
import type { DeviceRequest, DeviceResponse, DeviceRoute, RouteAudience } from '../https/device-route.ts';
import { type EstAnswerForm, issued, issuedWithKey, payload, plain, wordError } from './est-answers.ts';
import { type ClaimantPorts, claimantOf } from './est-claimant.ts';

export interface EstPorts extends ClaimantPorts {
  readonly enrollment: Pick<EnrollmentDoor, 'enrollDirect' | 'renew'> & ServerKeyDoor;
  /** Issuing authority and root, DER. */
  readonly chainDer: () => readonly Uint8Array[];
  /** A label is the name of a product. */
  readonly products: Pick<ProductRepository, 'find' | 'list'>;
  readonly base64: EstAnswerForm;
  /** Vouches for keys made here (RFC 7030 4.4.2): the server, by its own certificate. */
  readonly keySigner: () => KeyPackageSigner;
  readonly random: Random;
}

interface OperationRow {
  readonly method: 'GET' | 'POST';
  readonly audience: readonly RouteAudience[];
  readonly answer: (ports: EstPorts, request: DeviceRequest) => Promise<DeviceResponse>;
}

const MAX_REQUEST = 24 * 1024;
const MAX_PRODUCTS = 1000;
const ANYONE: readonly RouteAudience[] = ['anyone', 'claim', 'device'];
/** On the listener without client certificates a one-time password decides. */
const CLAIMANTS: readonly RouteAudience[] = ['anyone', 'claim'];

const OPERATIONS: Readonly<Record<EstOperation, OperationRow>> = {
  cacerts: {
    method: 'GET',
    audience: ANYONE,
    answer: async ({ base64, chainDer }, request) =>
      payload(request, base64, { mediaType: EST_MEDIA.certificates, der: encodeCertsOnly(chainDer()) }),
  },
  csrattrs: {
    method: 'GET',
    audience: ANYONE,
    answer: async (ports, request) => {
      const asked = deviceCsrAttributes(await bindingFor(ports, request));
      return payload(request, ports.base64, { mediaType: EST_MEDIA.attributes, der: encodeCsrAttributes(asked) });
    },
  },
  simpleenroll: { method: 'POST', audience: CLAIMANTS, answer: enroll },
  simplereenroll: {
    method: 'POST',
    audience: ['device', 'claim'],
    answer: async (ports, request) => {
      const { principal } = request;
      // strongSwan's pki asks for renewal whenever it shows a certificate; a claim has none to renew, so it enrolls.
      if (principal?.kind === 'claim') return enroll(ports, request);
      if (principal?.kind !== 'device') throw new HoldfastError('request.forbidden');
      const certificateDer = await ports.enrollment.renew(principal, csrOf(request), contextOf(request));
      return issued(request, ports.base64, certificateDer);
    },
  },
  serverkeygen: { method: 'POST', audience: CLAIMANTS, answer: enrollWithServerKey },
  fullcmc: { method: 'POST', audience: ANYONE, answer: async () => plain(501, 'full CMC is not offered') },
};

/** Enrollment over Secure Transport (RFC 7030, 8951, 9908), every operation with and without a label. */
export function estRoutes(ports: EstPorts): readonly DeviceRoute[] {
  return EST_OPERATIONS.flatMap((operation) =>
    [`${EST_ROOT}/${operation}`, `${EST_ROOT}/{label}/${operation}`].map((path): DeviceRoute => {
      const { method, audience, answer } = OPERATIONS[operation];
      return {
        method,
        path,
        audience,
        maxBodyBytes: method === 'GET' ? 0 : MAX_REQUEST,
        whileRestricted: 'served',
        handle: async (request) => {
          await termsOf(ports, request.params['label']);
          return answer(ports, request);
        },
        wordError,
      };
    }),
  );
}

async function enroll(ports: EstPorts, request: DeviceRequest): Promise<DeviceResponse> {
  const { claim, password } = await claimantOf(ports, request);
  const { certificateDer } = await ports.enrollment.enrollDirect(claim, csrOf(request), contextOf(request, password));
  return issued(request, ports.base64, certificateDer);
}

async function enrollWithServerKey(ports: EstPorts, request: DeviceRequest): Promise<DeviceResponse> {
  const { claim, password } = await claimantOf(ports, request);
  const made = await ports.enrollment.enrollWithServerKey(claim, csrOf(request), contextOf(request, password));
  return issuedWithKey(request, ports.base64, {
    key: await handOver(ports, made),
    certificateDer: made.certificateDer,
  });
}

/** In clear inside TLS, or in an envelope when the request asked for one. */
async function handOver({ keySigner, random }: EstPorts, { privateKeyPkcs8, encryptFor }: DirectEnrollment) {
  if (privateKeyPkcs8 === undefined) throw new HoldfastError('kernel.internal', { reason: 'no key' });
  if (encryptFor === undefined) return { mediaType: EST_MEDIA.key, der: privateKeyPkcs8 };
  const der = await envelopePrivateKey(privateKeyPkcs8, encryptFor, keySigner(), random);
  return { mediaType: EST_MEDIA.envelopedKey, der };
}

/** @returns undefined where no product is named. @throws `request.not_found` for a label that names none */
async function termsOf(
  { products, tenant }: EstPorts,
  label: string | undefined,
): Promise<EnrollmentTerms | undefined> {
  if (label === undefined || label === 'default') return undefined;
  const product = await products.find(tenant, label);
  if (product === undefined) throw new HoldfastError('request.not_found');
  return product.enrollment;
}

/**
 * What a client must know before it makes its request: RFC 8951 section 4. Without a label any product may be meant, and
 * a binding nobody demands does no harm. TLS 1.3 has no tls-unique (RFC 9266), so nothing is demanded there.
 */
async function bindingFor(ports: EstPorts, request: DeviceRequest): Promise<EnrollmentTerms['binding']> {
  if (request.channelBinding()?.kind !== 'tls-unique') return 'if-present';
  const terms = await termsOf(ports, request.params['label']);
  if (terms !== undefined) return terms.binding;
  const { rows } = await ports.products.list(ports.tenant, { limit: MAX_PRODUCTS });
  return rows.some(({ enrollment }) => enrollment.binding === 'required') ? 'required' : 'if-present';
}

function csrOf(request: DeviceRequest): Uint8Array {
  if (!isMediaType(request.headers['content-type'], EST_MEDIA.request)) throw new HoldfastError('identity.media_type');
  return decodeEstBody(request.body);
}

function contextOf(request: DeviceRequest, password?: OneTimePassword): EnrollmentContext {
  return {
    connectionId: `est ${request.remoteAddress}`,
    remoteAddress: request.remoteAddress,
    door: 'est',
    template: request.params['label'],
    channelBinding: request.channelBinding,
    password,
  };
}
