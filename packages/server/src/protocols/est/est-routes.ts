import { HoldfastError, toHoldfastError } from '@holdfast/kernel';
import type { EnrollmentContext, EnrollmentDoor } from '@holdfast/trust/identity';
import { encodeCertsOnly } from '@holdfast/wire/cms';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import {
  decodeEstBody,
  DEVICE_CSR_ATTRIBUTES,
  encodeCsrAttributes,
  encodeEstBody,
  EST_MEDIA,
  EST_OPERATIONS,
  EST_ROOT,
  type EstBase64Form,
  type EstOperation,
  isMediaType,
} from '@holdfast/wire/est';
import type { DeviceRequest, DeviceResponse, DeviceRoute, RouteAudience } from '../https/device-route.ts';

export interface EstPorts {
  readonly enrollment: Pick<EnrollmentDoor, 'enrollDirect' | 'renew'>;
  /** Issuing authority and root, DER. */
  readonly chainDer: () => readonly Uint8Array[];
  /** Whether a label names a product. */
  readonly isLabel: (label: string) => Promise<boolean>;
  /** The base64 form of every answer; `by-client` looks at each request. */
  readonly base64: EstBase64Form | 'by-client';
}

interface OperationRow {
  readonly method: 'GET' | 'POST';
  readonly audience: readonly RouteAudience[];
  readonly answer: (ports: EstPorts, request: DeviceRequest) => Promise<DeviceResponse>;
}

const MAX_REQUEST = 24 * 1024;
const ANYONE: readonly RouteAudience[] = ['anyone', 'claim', 'device'];

const OPERATIONS: Readonly<Record<EstOperation, OperationRow>> = {
  cacerts: {
    method: 'GET',
    audience: ANYONE,
    answer: async (ports, request) =>
      payload(ports, request, { mediaType: EST_MEDIA.certificates, der: encodeCertsOnly(ports.chainDer()) }),
  },
  csrattrs: {
    method: 'GET',
    audience: ANYONE,
    answer: async (ports, request) =>
      payload(ports, request, { mediaType: EST_MEDIA.attributes, der: encodeCsrAttributes(DEVICE_CSR_ATTRIBUTES) }),
  },
  simpleenroll: {
    method: 'POST',
    audience: ['claim'],
    answer: async (ports, request) => {
      if (request.principal?.kind !== 'claim') throw new HoldfastError('request.forbidden');
      return enrolled(ports, request, request.principal);
    },
  },
  simplereenroll: {
    method: 'POST',
    audience: ['device', 'claim'],
    answer: async (ports, request) => {
      const { principal } = request;
      // strongSwan's pki asks for renewal whenever it shows a certificate; a claim has none to renew, so it enrolls.
      if (principal?.kind === 'claim') return enrolled(ports, request, principal);
      if (principal?.kind !== 'device') throw new HoldfastError('request.forbidden');
      return issued(ports, request, await ports.enrollment.renew(principal, csrOf(request), contextOf(request)));
    },
  },
  serverkeygen: { method: 'POST', audience: ANYONE, answer: notOffered },
  fullcmc: { method: 'POST', audience: ANYONE, answer: notOffered },
};

/** Enrollment over Secure Transport (RFC 7030, RFC 8951), every operation with and without a label. */
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
          await checkLabel(ports, request.params['label']);
          return answer(ports, request);
        },
        wordError,
      };
    }),
  );
}

/** RFC 7030 4.2.3, errata 5108: the reason as plain text. */
function wordError(caught: unknown): DeviceResponse {
  const { code, message, spec } = toHoldfastError(caught);
  return text(spec.http, `${code}: ${message}`, spec.retry ? { 'Retry-After': 5 } : {});
}

async function checkLabel(ports: EstPorts, label: string | undefined): Promise<void> {
  if (label === undefined || label === 'default') return;
  if (!(await ports.isLabel(label))) throw new HoldfastError('request.not_found');
}

function csrOf(request: DeviceRequest): Uint8Array {
  if (!isMediaType(request.headers['content-type'], EST_MEDIA.request)) throw new HoldfastError('identity.media_type');
  return decodeEstBody(request.body);
}

function contextOf(request: DeviceRequest): EnrollmentContext {
  return {
    connectionId: `est ${request.remoteAddress}`,
    remoteAddress: request.remoteAddress,
    door: 'est',
    template: request.params['label'],
    channelBinding: request.channelBinding,
  };
}

async function enrolled(ports: EstPorts, request: DeviceRequest, claim: ClaimPrincipal): Promise<DeviceResponse> {
  const { certificateDer } = await ports.enrollment.enrollDirect(claim, csrOf(request), contextOf(request));
  return issued(ports, request, certificateDer);
}

/** RFC 7030 4.2.3: the issued certificate alone, no chain. */
function issued(ports: EstPorts, request: DeviceRequest, certificateDer: Uint8Array): DeviceResponse {
  return payload(ports, request, { mediaType: EST_MEDIA.issued, der: encodeCertsOnly([certificateDer]) });
}

async function notOffered(): Promise<DeviceResponse> {
  return text(501, 'this operation is not offered');
}

/** Header names in their canonical case: libest compares them letter by letter. */
function payload(
  ports: EstPorts,
  request: DeviceRequest,
  given: { readonly mediaType: string; readonly der: Uint8Array },
): DeviceResponse {
  const body = encodeEstBody(given.der, ports.base64 === 'by-client' ? formFor(request) : ports.base64);
  return {
    status: 200,
    headers: {
      'Content-Type': given.mediaType,
      'Content-Transfer-Encoding': 'base64',
      'Content-Length': body.length,
      'Cache-Control': 'no-store',
    },
    body,
  };
}

/** strongSwan sends no Accept and cannot read line breaks; libest sends one and cannot read a long line. */
function formFor({ headers }: DeviceRequest): EstBase64Form {
  return headers['accept'] === undefined ? 'single' : 'wrapped';
}

function text(status: number, words: string, headers: Readonly<Record<string, string | number>> = {}): DeviceResponse {
  const body = `${words}\n`;
  return { status, headers: { 'Content-Type': 'text/plain', 'Content-Length': body.length, ...headers }, body };
}
