import type { IdentityRepositories } from '@holdfast/trust/ports';
import type { Reader } from '../reader.ts';
import { SqlCertificateRepository, SqlCrlRepository, SqlKeyOwnerRepository } from './identity-certificates.ts';
import { SqlClaimRepository, SqlOwnershipTokenRepository } from './identity-claims.ts';
import { SqlDeviceRepository } from './identity-devices.ts';
import { SqlEnrollmentRequestRepository, SqlOneTimePasswordRepository } from './identity-enrollment.ts';
import { SqlCampaignRepository } from './identity-campaigns.ts';
import { SqlTicketEpochRepository } from './identity-epochs.ts';
import { SqlCertificateHoldRepository } from './identity-holds.ts';
import { SqlOperatorRepository } from './identity-operators.ts';
import { SqlManufacturerRepository, SqlProvisioningTemplateRepository } from './identity-provisioning.ts';
import { SqlRatchetRepository } from './identity-ratchets.ts';
import { SqlTpmRepository } from './tpm.ts';

export function identityRepositories(reader: Reader): IdentityRepositories {
  return {
    devices: new SqlDeviceRepository(reader),
    certificates: new SqlCertificateRepository(reader),
    keyOwners: new SqlKeyOwnerRepository(reader),
    claims: new SqlClaimRepository(reader),
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
