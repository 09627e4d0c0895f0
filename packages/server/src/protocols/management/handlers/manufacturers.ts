import type { ManufacturerDetail as DetailView, Manufacturer as ManufacturerView } from '@holdfast/api';
import { formatRfc3339, HoldfastError } from '@holdfast/kernel';
import type { BulkRegistration, JitRegistration, ManufacturerDetail, Manufacturers } from '@holdfast/trust/identity';
import type { ManufacturerRecord } from '@holdfast/trust/ports';
import { decodePem, encodePem } from '@holdfast/wire/pem';
import { decodeCertificate, nameText } from '@holdfast/wire/x509';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';

export interface ManufacturerHandlerPorts {
  readonly manufacturers: Manufacturers;
  readonly jit: Pick<JitRegistration, 'activate'>;
  readonly bulk: Pick<BulkRegistration, 'register'>;
}

type ManufacturerOperation =
  | 'manufacturers.code'
  | 'manufacturers.register'
  | 'manufacturers.list'
  | 'manufacturers.show'
  | 'manufacturers.change'
  | 'certificates.activate'
  | 'templates.register-thing';

export function manufacturerHandlers(ports: ManufacturerHandlerPorts): Pick<ManagementHandlers, ManufacturerOperation> {
  const { manufacturers, jit, bulk } = ports;
  return {
    'manufacturers.code': async (_, { principal }) => ({ code: manufacturers.registrationCode(principal.tenant) }),
    'manufacturers.register': async ({ body }, { principal }) => {
      const { certificatePem, verificationPem, ...terms } = body;
      const certificateDer = certificateIn(certificatePem, 'identity.bad_manufacturer');
      const verificationDer = certificateIn(verificationPem, 'identity.bad_verification');
      return viewDetail(await manufacturers.register(principal, { certificateDer, verificationDer, ...terms }));
    },
    'manufacturers.list': async ({ query }, { principal }) => {
      const { rows, next } = await manufacturers.list(principal.tenant, query);
      return pageOf(rows.map(viewManufacturer), next);
    },
    'manufacturers.show': async ({ manufacturer }, { principal }) =>
      viewDetail(await manufacturers.show(principal.tenant, manufacturer)),
    'manufacturers.change': async ({ manufacturer, body }, { principal }) =>
      viewDetail(await manufacturers.change(principal, manufacturer, body.state)),
    'certificates.activate': async ({ certificate, body }, { principal }) => {
      const { device, template } = body;
      const wish = template === undefined ? { deviceId: device ?? '' } : { template };
      const { deviceId } = await jit.activate(principal, certificate, wish);
      return { device: deviceId, fingerprint: certificate };
    },
    'templates.register-thing': async ({ template, body }, { principal }) => {
      const { kind, deviceId, certificate } = await bulk.register(principal, template, body.parameters);
      return {
        kind,
        device: deviceId,
        certificateId: certificate.fingerprint,
        certificatePem: encodePem('CERTIFICATE', certificate.der),
      };
    },
  };
}

function viewManufacturer(manufacturer: ManufacturerRecord): ManufacturerView {
  const { fingerprint: id, state, registration, product, hardwareRevision, template, createdAt } = manufacturer;
  return {
    id,
    state,
    registration,
    product,
    hardwareRevision,
    ...(template === undefined ? {} : { template }),
    createdAt: formatRfc3339(createdAt),
  };
}

function viewDetail({ manufacturer, certificate, pending }: ManufacturerDetail): DetailView {
  return {
    ...viewManufacturer(manufacturer),
    subject: subjectOf(certificate.der),
    notAfter: formatRfc3339(certificate.notAfter),
    pending: pending.map(({ fingerprint, der, issuedAt }) => ({
      fingerprint,
      subject: subjectOf(der),
      registeredAt: formatRfc3339(issuedAt),
    })),
  };
}

const subjectOf = (der: Uint8Array): string => nameText(decodeCertificate(der).subject);

function certificateIn(pem: string, code: 'identity.bad_manufacturer' | 'identity.bad_verification'): Uint8Array {
  try {
    return decodePem(pem, 'CERTIFICATE');
  } catch (cause) {
    throw new HoldfastError(code, { reason: 'form' }, { cause });
  }
}
