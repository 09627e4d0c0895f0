import type { IdentityRepositories } from '@holdfast/trust/ports';
import type { Reader } from '../reader.ts';
import type { RowSeal } from '../row-seal.ts';
import { SqlCertificateRepository } from './identity-certificates.ts';
import { SqlClaimRepository, SqlOwnershipTokenRepository } from './identity-claims.ts';
import { SqlDeviceRepository } from './identity-devices.ts';
import { SqlEnrollmentRequestRepository, SqlOneTimePasswordRepository } from './identity-enrollment.ts';
import { SqlCampaignRepository } from './identity-campaigns.ts';
import { SqlTicketEpochRepository } from './identity-epochs.ts';
import { SqlCertificateHoldRepository } from './identity-holds.ts';
import { SqlCrlRepository, SqlKeyOwnerRepository } from './identity-keys.ts';
import { SqlOperatorRepository } from './identity-operators.ts';
import { SqlManufacturerRepository, SqlProvisioningTemplateRepository } from './identity-provisioning.ts';
import { SqlRatchetRepository } from './identity-ratchets.ts';
import { SqlTpmRepository } from './tpm.ts';

/** @param seal - without it rows are neither sealed nor looked at, as in tests */
export function identityRepositories(reader: Reader, seal?: RowSeal): IdentityRepositories {
  return {
    devices: new SqlDeviceRepository(reader, seal),
    certificates: new SqlCertificateRepository(reader, seal),
    keyOwners: new SqlKeyOwnerRepository(reader),
    claims: new SqlClaimRepository(reader, seal),
    tokens: new SqlOwnershipTokenRepository(reader),
    passwords: new SqlOneTimePasswordRepository(reader),
    enrollmentRequests: new SqlEnrollmentRequestRepository(reader),
    templates: new SqlProvisioningTemplateRepository(reader),
    manufacturers: new SqlManufacturerRepository(reader),
    tpms: new SqlTpmRepository(reader),
    crls: new SqlCrlRepository(reader),
    operators: new SqlOperatorRepository(reader),
    holds: new SqlCertificateHoldRepository(reader),
    ratchets: new SqlRatchetRepository(reader),
    campaigns: new SqlCampaignRepository(reader),
    epochs: new SqlTicketEpochRepository(reader),
  };
}
