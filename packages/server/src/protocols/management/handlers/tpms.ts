import type { ListedTpm, TpmMaker, TpmReference as ReferenceView } from '@holdfast/api';
import { formatRfc3339 } from '@holdfast/kernel';
import type { TpmTrust } from '@holdfast/trust/identity';
import type { TpmAuthority, TpmEndorsement, TpmReference } from '@holdfast/trust/ports';
import type { TpmReferences } from '@holdfast/trust/posture';
import { decodeCertificate, nameText } from '@holdfast/wire/x509';
import type { ManagementHandlers } from '../handler-types.ts';

export interface TpmHandlerPorts {
  readonly tpmTrust: TpmTrust;
  readonly tpmReferences: TpmReferences;
}

type TpmOperation =
  | 'tpms.list'
  | 'tpms.add'
  | 'tpm-makers.list'
  | 'tpm-makers.trust'
  | 'tpm-makers.distrust'
  | 'tpm-references.list'
  | 'tpm-references.record';

export function tpmHandlers({ tpmTrust, tpmReferences }: TpmHandlerPorts): Pick<ManagementHandlers, TpmOperation> {
  return {
    'tpms.list': async ({ claim }, { principal }) => ({
      rows: (await tpmTrust.listed(principal.tenant, claim)).map(viewListed),
    }),
    'tpms.add': async ({ body }, { principal }) => {
      const { certificatePem, claim: claimId, serial: serialNumber } = body;
      return viewListed(await tpmTrust.list(principal, { certificatePem, claimId, serialNumber }));
    },
    'tpm-makers.list': async (_, { principal }) => ({
      rows: (await tpmTrust.authorities(principal.tenant)).map(viewMaker),
    }),
    'tpm-makers.trust': async ({ body }, { principal }) => {
      const { certificatePem, claim: claimId } = body;
      return viewMaker(await tpmTrust.trust(principal, { certificatePem, claimId }));
    },
    'tpm-makers.distrust': async ({ maker }, { principal }) => viewMaker(await tpmTrust.distrust(principal, maker)),
    'tpm-references.list': async ({ product }, { principal }) => ({
      rows: (await tpmReferences.list(principal.tenant, product)).map(viewReference),
    }),
    'tpm-references.record': async ({ product, body }, { principal }) => {
      const { version, hardwareRevision, securityCounter: counter, registers: pcrs } = body;
      return viewReference(
        await tpmReferences.record(principal, { product, version, hardwareRevision, counter, pcrs }),
      );
    },
  };
}

function viewListed({ keySha256, claimId, serialNumber, createdAt }: TpmEndorsement): ListedTpm {
  return { keySha256, claim: claimId, serial: serialNumber, createdAt: formatRfc3339(createdAt) };
}

function viewMaker({ fingerprint, der, claimId, createdAt }: TpmAuthority): TpmMaker {
  const name = nameText(decodeCertificate(der).subject);
  return { fingerprint, name, claim: claimId, createdAt: formatRfc3339(createdAt) };
}

function viewReference({ product, version, hardwareRevision, counter, pcrs, ...row }: TpmReference): ReferenceView {
  return {
    product,
    version,
    hardwareRevision,
    securityCounter: counter,
    registers: { ...pcrs },
    recordedAt: formatRfc3339(row.recordedAt),
    recordedBy: row.recordedBy,
  };
}
