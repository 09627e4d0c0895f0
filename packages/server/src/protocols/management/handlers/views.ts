import type {
  AuditEntry as AuditEntryView,
  Claim as ClaimView,
  Device as DeviceView,
  DeviceDetail,
  Execution as ExecutionView,
  ImageKey,
  Product as ProductView,
  Release as ReleaseView,
  Rollout as RolloutView,
} from '@holdfast/api';
import { type EpochMs, encodeBase64, encodeHex, formatRfc3339 } from '@holdfast/kernel';
import { claimStanding } from '@holdfast/trust/identity';
import type {
  CertificateRecord,
  ClaimRecord,
  DeviceRecord,
  ExecutionCounts,
  ExecutionRecord,
  Presence,
  ProductRecord,
  ReleaseRecord,
  RolloutRecord,
  StoredAuditEntry,
} from '@holdfast/trust/ports';
import type { DevicePosture } from '@holdfast/trust/posture';

/** Records as the API words them: times in RFC 3339, absent members left out. */

export interface DeviceFacts {
  readonly device: DeviceRecord;
  readonly groups: readonly string[];
  readonly posture: DevicePosture;
  readonly presences: readonly Presence[];
}

export function viewDevice({ device, groups, posture, presences }: DeviceFacts): DeviceView {
  const { evidence } = posture;
  return {
    id: device.deviceId,
    serial: device.serialNumber,
    product: device.product,
    hardwareRevision: device.hardwareRevision,
    state: device.state,
    ...given('stateReason', device.stateReason),
    groups: [...groups],
    attributes: { ...device.attributes },
    posture: {
      state: posture.posture,
      reasons: posture.reasons.map(({ code, words }) => ({ code, words })),
      ...given('evidenceAt', time(evidence?.at)),
    },
    ...(evidence === undefined
      ? {}
      : {
          firmware: {
            version: evidence.version,
            securityCounter: evidence.counter,
            digest: evidence.digest,
            bootState: evidence.bootState,
          },
        }),
    presence: viewPresence(presences),
    createdAt: formatRfc3339(device.createdAt),
  };
}

function viewPresence(presences: readonly Presence[]): DeviceView['presence'] {
  const [first] = presences;
  if (first === undefined) return { connected: false };
  return {
    connected: true,
    since: formatRfc3339(first.connectedAt),
    address: first.remoteAddress,
    protocol: first.protocol,
  };
}

export function viewDeviceDetail(
  facts: DeviceFacts,
  certificates: readonly CertificateRecord[],
  chainPem: string | undefined,
  now: EpochMs,
): DeviceDetail {
  const { ueid, attestationAnchor } = facts.device;
  return {
    ...viewDevice(facts),
    ...given('ueid', ueid),
    ...given('attestationAnchor', attestationAnchor && encodeBase64(attestationAnchor)),
    certificates: certificates.map((certificate) => viewCertificate(certificate, now)),
    ...given('chainPem', chainPem),
  };
}

function viewCertificate(certificate: CertificateRecord, now: EpochMs): DeviceDetail['certificates'][number] {
  const over = now >= certificate.notAfter && (certificate.state === 'active' || certificate.state === 'successor');
  return {
    fingerprint: certificate.fingerprint,
    serialNumber: certificate.serialNumber,
    state: over ? 'expired' : certificate.state,
    keyOrigin: certificate.keyOrigin,
    notBefore: formatRfc3339(certificate.notBefore),
    notAfter: formatRfc3339(certificate.notAfter),
    door: certificate.door,
  };
}

export function viewProduct(product: ProductRecord, imageKey: ImageKey | undefined): ProductView {
  return {
    name: product.name,
    hardwareRevisions: [...product.hardwareRevisions],
    evidence: product.evidence,
    ...given('imageKey', imageKey),
    boot: { ...product.boot, align: product.boot.align as ProductView['boot']['align'] },
    ...given('minimumVersion', product.minimumVersion),
    minimumSecurityCounter: product.minimumCounter,
    enrollment: { ...product.enrollment },
    createdAt: formatRfc3339(product.createdAt),
  };
}

export function viewClaim(claim: ClaimRecord, now: EpochMs): ClaimView {
  return {
    id: claim.claimId,
    product: claim.product,
    scope: claim.scope,
    limit: claim.quota,
    used: claim.used,
    autoRegister: claim.autoRegister,
    state: claimStanding(claim, now),
    createdAt: formatRfc3339(claim.createdAt),
    expiresAt: formatRfc3339(claim.expiresAt),
    ...given('template', claim.template),
  };
}

export function viewRelease(release: ReleaseRecord): ReleaseView {
  return {
    id: release.releaseId,
    product: release.product,
    hardwareRevision: release.hardwareRevision,
    version: release.version,
    securityCounter: release.counter,
    state: release.state,
    imageSha256: release.imageSha256,
    imageLength: release.imageLength,
    signatures: { present: release.signatures, threshold: release.threshold },
    createdAt: formatRfc3339(release.createdAt),
  };
}

export function viewRollout(rollout: RolloutRecord, counts: ExecutionCounts): RolloutView {
  const { target } = rollout;
  return {
    id: rollout.rolloutId,
    releaseId: rollout.releaseId,
    product: rollout.product,
    version: rollout.version,
    target: target.kind === 'group' ? { group: target.group } : { devices: [...target.deviceIds] },
    state: rollout.state,
    counts: { ...counts.statuses },
    outcomes: { ...counts.outcomes },
    createdAt: formatRfc3339(rollout.createdAt),
  };
}

export function viewExecution(execution: ExecutionRecord): ExecutionView {
  return {
    jobId: execution.jobId,
    deviceId: execution.deviceId,
    status: execution.status,
    awaitingProof: execution.awaitingProof,
    ...given('outcome', execution.outcome),
    ...given('reason', execution.reason),
    statusDetails: { ...execution.statusDetails },
    version: execution.versionNumber,
    queuedAt: formatRfc3339(execution.queuedAt),
    ...given('startedAt', time(execution.startedAt)),
    lastUpdatedAt: formatRfc3339(execution.lastUpdatedAt),
  };
}

export function viewAuditEntry(entry: StoredAuditEntry): AuditEntryView {
  return {
    sequence: entry.sequence,
    at: formatRfc3339(entry.at),
    actor: entry.actor,
    action: entry.action,
    subject: entry.subject,
    details: JSON.parse(entry.details) as AuditEntryView['details'],
    leafHash: encodeHex(entry.leaf),
  };
}

function time(at: EpochMs | undefined): string | undefined {
  return at === undefined ? undefined : formatRfc3339(at);
}

function given<Name extends string, Value>(name: Name, value: Value | undefined): { [K in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [K in Name]?: Value });
}
