import { z } from 'zod';
import { Authority, AuthorityRequest, DestroyRootKey, InstallAuthority } from './schemas/authority.ts';
import { Claim, CreateClaim, CreatedClaim } from './schemas/claim.ts';
import { PageQuery, pageOf } from './schemas/common.ts';
import { DeviceAccess, ExplainAccess, Policy, PolicyTarget, PutPolicy } from './schemas/communication.ts';
import {
  AssignGroups,
  DescribeDevice,
  Device,
  DeviceDetail,
  DeviceQuery,
  EstablishDevice,
  RevocationOutcome,
  RevokeDevice,
} from './schemas/device.ts';
import {
  EnrollmentRequest,
  MintedPassword,
  MintPasswords,
  OneTimePassword,
  SetEnrollmentTerms,
} from './schemas/enrollment.ts';
import {
  ActivateCertificate,
  ActivatedCertificate,
  ChangeManufacturer,
  Manufacturer,
  ManufacturerDetail,
  RegisteredThing,
  RegisterManufacturer,
  RegisterThing,
  RegistrationCode,
} from './schemas/manufacturer.ts';
import {
  CertifiedOperator,
  CertifyOperator,
  ChangeOperatorRole,
  CreateOperator,
  Operator,
} from './schemas/operator.ts';
import {
  CreateProduct,
  MinimumPreview,
  Product,
  RaiseMinimum,
  SetEvidencePolicy,
  TrustAnchors,
} from './schemas/product.ts';
import { Rehearsal, SetChip } from './schemas/rehearsal.ts';
import { AddProductKey, ProductKey, RevokeProductKey, RotateProductKey } from './schemas/image-key.ts';
import { EnrollDevice, EnrolledDevice, ImportDevices, ImportReport, RegistryRow } from './schemas/registry.ts';
import {
  Campaign,
  CampaignDetail,
  DecommissionDevice,
  DestructionChallenge,
  Ratchet,
  StartCampaign,
} from './schemas/renewal.ts';
import { MassRevocationOutcome, PreviewRevocation, RevocationPreview, RunRevocation } from './schemas/revocation.ts';
import { Shadow, ShadowName, ShadowQuery, UpdateShadow } from './schemas/shadow.ts';
import { DeadLetter, DiscardedLetters, ReplaySink, RetriedLetters, Sink, SinkList } from './schemas/sink.ts';
import { AuditEntry, AuditQuery, AuditVerdict, ConsoleLink, OpenSession, Status } from './schemas/system.ts';
import { ListedTpm, ListTpm, RecordTpmReference, TpmMaker, TpmReference, TrustTpmMaker } from './schemas/tpm.ts';
import {
  CreateTemplate,
  KeptTemplate,
  ProvisioningTemplate,
  TemplateVersions,
  UpdateTemplate,
} from './schemas/template.ts';
import {
  Artifact,
  CreateJob,
  CreateRelease,
  CreateRollout,
  Execution,
  Release,
  ReleaseDetail,
  Rollout,
  RolloutDetail,
  RolloutPlan,
} from './schemas/update.ts';

/** One row of the management API: everything the server's routes, the client and the document are made from. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Named parts in braces. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** `octets`: the request body is raw bytes, streamed. */
  readonly upload?: 'octets';
  /** `octets`: the answer is raw bytes. */
  readonly download?: 'octets';
  readonly response: z.ZodType;
  /** `local`: only over the Unix socket or by an operator certificate, not from a console session. */
  readonly reach?: 'local';
}

const EMPTY = z.object({});
const OCTETS = z.instanceof(Uint8Array);

export const OPERATIONS = {
  'status.show': { method: 'GET', path: '/api/v1/status', summary: 'What runs here', response: Status },
  'trust-anchors.show': {
    method: 'GET',
    path: '/api/v1/products/{product}/trust-anchors',
    summary: 'What the factory step installs in a device of this product',
    response: TrustAnchors,
  },

  'products.create': {
    method: 'POST',
    path: '/api/v1/products',
    summary: 'Create a product and its image key',
    body: CreateProduct,
    response: Product,
  },
  'products.list': {
    method: 'GET',
    path: '/api/v1/products',
    summary: 'List products',
    query: PageQuery,
    response: pageOf(Product),
  },
  'products.show': { method: 'GET', path: '/api/v1/products/{product}', summary: 'Show a product', response: Product },
  'products.set-evidence': {
    method: 'PUT',
    path: '/api/v1/products/{product}/evidence',
    summary: 'Choose whether success must be proven',
    body: SetEvidencePolicy,
    response: Product,
  },
  'products.set-enrollment': {
    method: 'PUT',
    path: '/api/v1/products/{product}/enrollment',
    summary: 'Set what enrolling its devices asks',
    body: SetEnrollmentTerms,
    response: Product,
  },
  'products.set-chip': {
    method: 'PUT',
    path: '/api/v1/products/{product}/chip',
    summary: 'Set the virtual chip its releases are rehearsed in',
    body: SetChip,
    response: Product,
  },
  'products.keys': {
    method: 'GET',
    path: '/api/v1/products/{product}/keys',
    summary: 'The keys its images may be signed with',
    response: z.object({ rows: z.array(ProductKey) }),
  },
  'products.add-key': {
    method: 'POST',
    path: '/api/v1/products/{product}/keys',
    summary: 'Add a key that new devices hold and that signs once it is rotated to',
    body: AddProductKey,
    response: ProductKey,
  },
  'products.rotate-key': {
    method: 'POST',
    path: '/api/v1/products/{product}/keys/rotate',
    summary: 'Sign with another key from now on',
    body: RotateProductKey,
    response: ProductKey,
  },
  'products.revoke-key': {
    method: 'POST',
    path: '/api/v1/products/{product}/keys/{key}/revoke',
    summary: 'Accept no image of a key any more',
    body: RevokeProductKey,
    response: ProductKey,
  },
  'products.preview-minimum': {
    method: 'POST',
    path: '/api/v1/products/{product}/minimum/preview',
    summary: 'Whom a new minimum would restrict',
    body: RaiseMinimum,
    response: MinimumPreview,
  },
  'products.raise-minimum': {
    method: 'POST',
    path: '/api/v1/products/{product}/minimum',
    summary: 'Raise the minimum version or counter',
    body: RaiseMinimum,
    response: Product,
  },

  'claims.create': {
    method: 'POST',
    path: '/api/v1/claims',
    summary: 'Create a claim; its key is shown this once',
    body: CreateClaim,
    response: CreatedClaim,
  },
  'claims.list': {
    method: 'GET',
    path: '/api/v1/claims',
    summary: 'List claims',
    query: PageQuery,
    response: pageOf(Claim),
  },
  'claims.show': { method: 'GET', path: '/api/v1/claims/{claim}', summary: 'Show a claim', response: Claim },
  'claims.cancel': {
    method: 'POST',
    path: '/api/v1/claims/{claim}/cancel',
    summary: 'Cancel a claim and its pending certificates',
    response: Claim,
  },

  'tpms.list': {
    method: 'GET',
    path: '/api/v1/claims/{claim}/tpms',
    summary: 'List the TPMs of a claim',
    response: z.object({ rows: z.array(ListedTpm) }),
  },
  'tpms.add': {
    method: 'POST',
    path: '/api/v1/tpms',
    summary: 'List one TPM for one device',
    body: ListTpm,
    response: ListedTpm,
  },
  'tpm-makers.list': {
    method: 'GET',
    path: '/api/v1/tpm-makers',
    summary: 'List makers whose every TPM may enroll',
    response: z.object({ rows: z.array(TpmMaker) }),
  },
  'tpm-makers.trust': {
    method: 'POST',
    path: '/api/v1/tpm-makers',
    summary: 'Let every TPM of a maker enroll under a claim',
    body: TrustTpmMaker,
    response: TpmMaker,
  },
  'tpm-makers.distrust': {
    method: 'DELETE',
    path: '/api/v1/tpm-makers/{maker}',
    summary: 'Let no more TPMs of a maker enroll',
    response: TpmMaker,
  },
  'tpm-references.list': {
    method: 'GET',
    path: '/api/v1/products/{product}/tpm-references',
    summary: 'List register values that gateways of a product are held against',
    response: z.object({ rows: z.array(TpmReference) }),
  },
  'tpm-references.record': {
    method: 'POST',
    path: '/api/v1/products/{product}/tpm-references',
    summary: 'Record the registers of a gateway that is known to be good',
    body: RecordTpmReference,
    response: TpmReference,
  },

  'claims.mint-passwords': {
    method: 'POST',
    path: '/api/v1/claims/{claim}/passwords',
    summary: 'Make one-time passwords of a claim; each is shown this once',
    body: MintPasswords,
    response: z.object({ passwords: z.array(MintedPassword) }),
  },
  'claims.passwords': {
    method: 'GET',
    path: '/api/v1/claims/{claim}/passwords',
    summary: 'List the one-time passwords of a claim',
    query: PageQuery,
    response: pageOf(OneTimePassword),
  },
  'enrollment-requests.list': {
    method: 'GET',
    path: '/api/v1/enrollment-requests',
    summary: 'List devices that wait for approval, and those decided on',
    query: PageQuery,
    response: pageOf(EnrollmentRequest),
  },
  'enrollment-requests.approve': {
    method: 'POST',
    path: '/api/v1/enrollment-requests/{request}/approve',
    summary: 'Let a waiting device have its certificate',
    response: EnrollmentRequest,
  },
  'enrollment-requests.deny': {
    method: 'POST',
    path: '/api/v1/enrollment-requests/{request}/deny',
    summary: 'Refuse a waiting device',
    response: EnrollmentRequest,
  },

  'templates.create': {
    method: 'POST',
    path: '/api/v1/provisioning-templates',
    summary: 'Create a provisioning template from an AWS document',
    body: CreateTemplate,
    response: KeptTemplate,
  },
  'templates.update': {
    method: 'PUT',
    path: '/api/v1/provisioning-templates/{template}',
    summary: 'Make a new version of a provisioning template',
    body: UpdateTemplate,
    response: KeptTemplate,
  },
  'templates.list': {
    method: 'GET',
    path: '/api/v1/provisioning-templates',
    summary: 'List provisioning templates',
    query: PageQuery,
    response: pageOf(ProvisioningTemplate),
  },
  'templates.show': {
    method: 'GET',
    path: '/api/v1/provisioning-templates/{template}',
    summary: 'Show a provisioning template',
    response: ProvisioningTemplate,
  },
  'templates.versions': {
    method: 'GET',
    path: '/api/v1/provisioning-templates/{template}/versions',
    summary: 'The versions of a provisioning template',
    response: TemplateVersions,
  },
  'templates.register-thing': {
    method: 'POST',
    path: '/api/v1/provisioning-templates/{template}/things',
    summary: 'Register one device and certify its key by a template',
    body: RegisterThing,
    response: RegisteredThing,
  },
  'manufacturers.code': {
    method: 'GET',
    path: '/api/v1/registration-code',
    summary: 'What a verification certificate must have as its common name',
    response: RegistrationCode,
  },
  'manufacturers.register': {
    method: 'POST',
    path: '/api/v1/manufacturers',
    summary: 'Take in devices that have certificates of this authority',
    body: RegisterManufacturer,
    response: ManufacturerDetail,
  },
  'manufacturers.list': {
    method: 'GET',
    path: '/api/v1/manufacturers',
    summary: 'List authorities of other makers',
    query: PageQuery,
    response: pageOf(Manufacturer),
  },
  'manufacturers.show': {
    method: 'GET',
    path: '/api/v1/manufacturers/{manufacturer}',
    summary: 'Show an authority and what waits for an operator',
    response: ManufacturerDetail,
  },
  'manufacturers.change': {
    method: 'PUT',
    path: '/api/v1/manufacturers/{manufacturer}',
    summary: 'Take in new devices of an authority, or none',
    body: ChangeManufacturer,
    response: ManufacturerDetail,
  },
  'certificates.activate': {
    method: 'POST',
    path: '/api/v1/certificates/{certificate}/activate',
    summary: 'Let a device in whose certificate of another maker waits',
    body: ActivateCertificate,
    response: ActivatedCertificate,
  },
  'templates.remove': {
    method: 'DELETE',
    path: '/api/v1/provisioning-templates/{template}',
    summary: 'Delete a provisioning template',
    response: EMPTY,
  },

  'devices.create': {
    method: 'POST',
    path: '/api/v1/devices',
    summary: 'Establish a device in the registry',
    body: EstablishDevice,
    response: Device,
  },
  'devices.list': {
    method: 'GET',
    path: '/api/v1/devices',
    summary: 'List devices',
    query: DeviceQuery.extend(PageQuery.shape),
    response: pageOf(Device),
  },
  'devices.show': {
    method: 'GET',
    path: '/api/v1/devices/{device}',
    summary: 'Show a device with its certificates',
    response: DeviceDetail,
  },
  'devices.timeline': {
    method: 'GET',
    path: '/api/v1/devices/{device}/timeline',
    summary: 'What happened to a device',
    query: PageQuery,
    response: pageOf(AuditEntry),
  },
  'devices.executions': {
    method: 'GET',
    path: '/api/v1/devices/{device}/executions',
    summary: 'Jobs of a device',
    query: PageQuery,
    response: pageOf(Execution),
  },
  'devices.groups': {
    method: 'PUT',
    path: '/api/v1/devices/{device}/groups',
    summary: 'Set the groups of a device',
    body: AssignGroups,
    response: Device,
  },
  'devices.revoke': {
    method: 'POST',
    path: '/api/v1/devices/{device}/revoke',
    summary: 'Revoke a device and cut it off',
    body: RevokeDevice,
    response: RevocationOutcome,
  },
  'devices.suspend': {
    method: 'POST',
    path: '/api/v1/devices/{device}/suspend',
    summary: 'Suspend a device',
    response: Device,
  },
  'devices.readmit': {
    method: 'POST',
    path: '/api/v1/devices/{device}/readmit',
    summary: 'Let a revoked, suspended or quarantined device enroll again',
    response: Device,
  },

  'devices.archive': {
    method: 'POST',
    path: '/api/v1/devices/{device}/archive',
    summary: 'Put a revoked device away for good',
    response: Device,
  },
  'devices.destruction-challenge': {
    method: 'POST',
    path: '/api/v1/devices/{device}/decommission/challenge',
    summary: 'What the key of a device has to sign before it is destroyed',
    response: DestructionChallenge,
  },
  'devices.decommission': {
    method: 'POST',
    path: '/api/v1/devices/{device}/decommission',
    summary: 'Revoke and archive a device on the proof that its key was destroyed',
    body: DecommissionDevice,
    response: Device,
  },
  'devices.attributes': {
    method: 'PUT',
    path: '/api/v1/devices/{device}/attributes',
    summary: 'Replace the attributes of a device',
    body: DescribeDevice,
    response: Device,
  },
  'devices.ratchet': {
    method: 'GET',
    path: '/api/v1/devices/{device}/ratchet',
    summary: 'Whether a device shows a value of its last connection at the next',
    response: Ratchet,
  },
  'devices.reset-ratchet': {
    method: 'POST',
    path: '/api/v1/devices/{device}/ratchet/reset',
    summary: 'Let a device begin its ratchet anew',
    response: Ratchet,
  },

  'campaigns.start': {
    method: 'POST',
    path: '/api/v1/campaigns',
    summary: 'Have a fleet renew its certificates before their time',
    body: StartCampaign,
    response: Campaign,
  },
  'campaigns.list': {
    method: 'GET',
    path: '/api/v1/campaigns',
    summary: 'List renewal campaigns, newest first',
    response: pageOf(Campaign),
  },
  'campaigns.show': {
    method: 'GET',
    path: '/api/v1/campaigns/{campaign}',
    summary: 'How far a renewal campaign is',
    response: CampaignDetail,
  },
  'campaigns.stop': {
    method: 'POST',
    path: '/api/v1/campaigns/{campaign}/stop',
    summary: 'Stop a renewal campaign',
    response: Campaign,
  },

  'devices.enroll': {
    method: 'POST',
    path: '/api/v1/devices/{device}/enroll',
    summary: 'Give a device in a factory its first certificate',
    body: EnrollDevice,
    response: EnrolledDevice,
  },
  'registry.export': {
    method: 'GET',
    path: '/api/v1/registry',
    summary: 'Read the registry as an import takes it',
    query: DeviceQuery.extend(PageQuery.shape),
    response: pageOf(RegistryRow),
  },
  'registry.import': {
    method: 'POST',
    path: '/api/v1/registry',
    summary: 'Check rows against the registry, and bring them in',
    body: ImportDevices,
    response: ImportReport,
  },

  'shadows.list': {
    method: 'GET',
    path: '/api/v1/devices/{device}/shadows',
    summary: 'Names of the named shadows of a device',
    query: PageQuery,
    response: pageOf(ShadowName),
  },
  'shadows.show': {
    method: 'GET',
    path: '/api/v1/devices/{device}/shadow',
    summary: 'Show a shadow of a device',
    query: ShadowQuery,
    response: Shadow,
  },
  'shadows.update': {
    method: 'POST',
    path: '/api/v1/devices/{device}/shadow',
    summary: 'Change a shadow of a device, or create it',
    query: ShadowQuery,
    body: UpdateShadow,
    response: Shadow,
  },
  'shadows.delete': {
    method: 'DELETE',
    path: '/api/v1/devices/{device}/shadow',
    summary: 'Delete a shadow of a device',
    query: ShadowQuery,
    response: EMPTY,
  },

  'certificates.revoke': {
    method: 'POST',
    path: '/api/v1/certificates/{certificate}/revoke',
    summary: 'Revoke one certificate by its SHA-256 fingerprint',
    body: RevokeDevice,
    response: RevocationOutcome,
  },
  'revocations.preview': {
    method: 'POST',
    path: '/api/v1/revocations/preview',
    summary: 'Whom a mass revocation would reach',
    body: PreviewRevocation,
    response: RevocationPreview,
  },
  'revocations.run': {
    method: 'POST',
    path: '/api/v1/revocations',
    summary: 'Revoke many at once and void all TLS tickets',
    body: RunRevocation,
    response: MassRevocationOutcome,
  },

  'artifacts.upload': {
    method: 'POST',
    path: '/api/v1/artifacts',
    summary: 'Upload an image',
    upload: 'octets',
    response: Artifact,
  },
  'releases.create': {
    method: 'POST',
    path: '/api/v1/releases',
    summary: 'Sign, verify and publish a release',
    body: CreateRelease,
    response: Release,
  },
  'releases.list': {
    method: 'GET',
    path: '/api/v1/releases',
    summary: 'List releases',
    query: PageQuery,
    response: pageOf(Release),
  },
  'releases.show': {
    method: 'GET',
    path: '/api/v1/releases/{release}',
    summary: 'Show a release with its manifest',
    response: ReleaseDetail,
  },
  'releases.image': {
    method: 'GET',
    path: '/api/v1/releases/{release}/image',
    summary: 'The signed image of a release, for the factory to flash',
    download: 'octets',
    response: OCTETS,
  },
  'releases.rehearsal': {
    method: 'GET',
    path: '/api/v1/releases/{release}/rehearsal',
    summary: 'How the rehearsal of a release stands, with its report',
    response: Rehearsal,
  },
  'releases.rehearse': {
    method: 'POST',
    path: '/api/v1/releases/{release}/rehearsal',
    summary: 'Rehearse a release, unless that is under way or the field is as it was',
    response: Rehearsal,
  },
  'releases.cancel-rehearsal': {
    method: 'DELETE',
    path: '/api/v1/releases/{release}/rehearsal',
    summary: 'End the rehearsal that is under way',
    response: Rehearsal,
  },
  'releases.cancel': {
    method: 'POST',
    path: '/api/v1/releases/{release}/cancel',
    summary: 'Withdraw a release',
    response: Release,
  },

  'rollouts.plan': {
    method: 'POST',
    path: '/api/v1/rollouts/plan',
    summary: 'Whom a rollout would reach',
    body: CreateRollout,
    response: RolloutPlan,
  },
  'rollouts.create': {
    method: 'POST',
    path: '/api/v1/rollouts',
    summary: 'Start a rollout',
    body: CreateRollout,
    response: Rollout,
  },
  'rollouts.list': {
    method: 'GET',
    path: '/api/v1/rollouts',
    summary: 'List rollouts',
    query: PageQuery,
    response: pageOf(Rollout),
  },
  'rollouts.show': {
    method: 'GET',
    path: '/api/v1/rollouts/{rollout}',
    summary: 'Show a rollout and its executions',
    response: RolloutDetail,
  },
  'rollouts.cancel': {
    method: 'POST',
    path: '/api/v1/rollouts/{rollout}/cancel',
    summary: 'Stop a rollout',
    response: Rollout,
  },

  'jobs.create': {
    method: 'POST',
    path: '/api/v1/jobs',
    summary: 'Send a job that is not firmware',
    body: CreateJob,
    response: z.object({ jobId: z.string(), devices: z.number().int() }),
  },
  'jobs.show': {
    method: 'GET',
    path: '/api/v1/jobs/{job}',
    summary: 'Show a job',
    response: z.object({ jobId: z.string(), executions: z.array(Execution) }),
  },
  'jobs.cancel': {
    method: 'POST',
    path: '/api/v1/jobs/{job}/cancel',
    summary: 'Cancel a job',
    response: z.object({ jobId: z.string(), cancelled: z.number().int() }),
  },

  'policies.put': {
    method: 'PUT',
    path: '/api/v1/policies/{policy}',
    summary: 'Create or replace an AWS IoT policy document',
    body: PutPolicy,
    response: Policy,
  },
  'policies.list': {
    method: 'GET',
    path: '/api/v1/policies',
    summary: 'List policies',
    query: PageQuery,
    response: pageOf(Policy),
  },
  'policies.show': { method: 'GET', path: '/api/v1/policies/{policy}', summary: 'Show a policy', response: Policy },
  'policies.remove': {
    method: 'DELETE',
    path: '/api/v1/policies/{policy}',
    summary: 'Remove a policy that is attached to nothing',
    response: EMPTY,
  },
  'policies.attach': {
    method: 'POST',
    path: '/api/v1/policies/{policy}/attach',
    summary: 'Attach a policy to a group or a device',
    body: PolicyTarget,
    response: EMPTY,
  },
  'policies.detach': {
    method: 'POST',
    path: '/api/v1/policies/{policy}/detach',
    summary: 'Detach a policy',
    body: PolicyTarget,
    response: EMPTY,
  },
  'devices.explain': {
    method: 'POST',
    path: '/api/v1/devices/{device}/explain',
    summary: 'What a device may do now, and which statement decides',
    body: ExplainAccess,
    response: DeviceAccess,
  },

  'sinks.list': { method: 'GET', path: '/api/v1/sinks', summary: 'Where messages of devices go', response: SinkList },
  'sinks.show': { method: 'GET', path: '/api/v1/sinks/{sink}', summary: 'Show a sink', response: Sink },
  'sinks.replay': {
    method: 'POST',
    path: '/api/v1/sinks/{sink}/replay',
    summary: 'Deliver again from an offset or a time',
    body: ReplaySink,
    response: Sink,
  },
  'sinks.dead-letters': {
    method: 'GET',
    path: '/api/v1/sinks/{sink}/dead-letters',
    summary: 'Messages a sink did not take',
    query: PageQuery,
    response: pageOf(DeadLetter),
  },
  'sinks.retry': {
    method: 'POST',
    path: '/api/v1/sinks/{sink}/dead-letters/retry',
    summary: 'Send the dead letters of a sink once more',
    response: RetriedLetters,
  },
  'sinks.discard': {
    method: 'POST',
    path: '/api/v1/sinks/{sink}/dead-letters/discard',
    summary: 'Forget the dead letters of a sink',
    response: DiscardedLetters,
  },

  'authority.show': {
    method: 'GET',
    path: '/api/v1/authority',
    summary: 'The certificates of the authorities, and where the root key is',
    response: Authority,
  },
  'authority.request': {
    method: 'POST',
    path: '/api/v1/authority/request',
    summary: 'Ask another root to certify the issuing key',
    response: AuthorityRequest,
    reach: 'local',
  },
  'authority.install': {
    method: 'POST',
    path: '/api/v1/authority/install',
    summary: 'Take in what a ceremony signed',
    body: InstallAuthority,
    response: Authority,
    reach: 'local',
  },
  'authority.destroy-root-key': {
    method: 'POST',
    path: '/api/v1/authority/destroy-root-key',
    summary: 'Erase the key of a root that a ceremony replaced',
    body: DestroyRootKey,
    response: Authority,
    reach: 'local',
  },

  'operators.create': {
    method: 'POST',
    path: '/api/v1/operators',
    summary: 'Create an operator who manages by certificate',
    body: CreateOperator,
    response: CertifiedOperator,
    reach: 'local',
  },
  'operators.list': {
    method: 'GET',
    path: '/api/v1/operators',
    summary: 'List operators',
    query: PageQuery,
    response: pageOf(Operator),
  },
  'operators.show': {
    method: 'GET',
    path: '/api/v1/operators/{operator}',
    summary: 'Show an operator',
    response: Operator,
  },
  'operators.certify': {
    method: 'POST',
    path: '/api/v1/operators/{operator}/certificates',
    summary: 'Give an operator another certificate',
    body: CertifyOperator,
    response: CertifiedOperator,
    reach: 'local',
  },
  'operators.change-role': {
    method: 'PUT',
    path: '/api/v1/operators/{operator}/role',
    summary: 'Change what an operator may do',
    body: ChangeOperatorRole,
    response: Operator,
    reach: 'local',
  },
  'operators.revoke': {
    method: 'POST',
    path: '/api/v1/operators/{operator}/revoke',
    summary: 'Revoke an operator with all certificates',
    response: Operator,
  },

  'audit.list': {
    method: 'GET',
    path: '/api/v1/audit',
    summary: 'Read the log, newest first',
    query: AuditQuery.extend(PageQuery.shape),
    response: pageOf(AuditEntry),
  },
  'audit.verify': {
    method: 'POST',
    path: '/api/v1/audit/verify',
    summary: 'Check every entry against the checkpoints',
    response: AuditVerdict,
  },

  'console.link': {
    method: 'POST',
    path: '/api/v1/console/links',
    summary: 'Mint a one-time console link',
    response: ConsoleLink,
    reach: 'local',
  },
  'session.open': {
    method: 'POST',
    path: '/api/v1/session',
    summary: 'Trade a one-time token for a session cookie',
    body: OpenSession,
    response: EMPTY,
  },
  'session.close': { method: 'DELETE', path: '/api/v1/session', summary: 'End the console session', response: EMPTY },
} as const satisfies Record<string, Operation>;

export type Operations = typeof OPERATIONS;
export type OperationName = keyof Operations;

/** The live event stream is not a request and an answer: server-sent events with Last-Event-ID. */
export const EVENTS_PATH = '/api/v1/events';
