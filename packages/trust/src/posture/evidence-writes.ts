import type { Registry } from '../identity/index.ts';
import type {
  AcceptedEvidence,
  AuditLog,
  DeviceRecord,
  Outbox,
  PostureReason,
  PostureRecord,
  PostureRepository,
  ProductRecord,
  Write,
} from '../ports/index.ts';
import { actorOf, type DevicePrincipal } from '../principal.ts';
import { EVENT_OF_POSTURE, POSTURE_MACHINE, standingPosture } from './machine.ts';
import type { PostureJudgement } from './rules.ts';

export interface EvidenceWritePorts {
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly registry: Pick<Registry, 'quarantining'>;
  readonly postures: PostureRepository;
}

/** Whose evidence it is. */
export interface Subject {
  readonly principal: DevicePrincipal;
  readonly device: DeviceRecord;
  readonly product: ProductRecord;
}

/** What believed evidence makes true: the posture, the log entry, the events, and a quarantine when it must be. */
export function acceptanceWrites(
  { audit, outbox, postures, registry }: EvidenceWritePorts,
  { principal, device }: Subject,
  given: {
    readonly judgement: PostureJudgement;
    readonly evidence: AcceptedEvidence;
    readonly record: PostureRecord | undefined;
    /** What the kind of evidence says beside. */
    readonly more?: Readonly<Record<string, number | boolean>>;
  },
): readonly Write[] {
  const { judgement, evidence, record } = given;
  const { tenant, deviceId } = principal;
  const { digest, version, counter, bootState, releaseId, at } = evidence;
  const from = standingPosture(record?.posture ?? POSTURE_MACHINE.initial, device);
  const posture = POSTURE_MACHINE.step(from, EVENT_OF_POSTURE[judgement.posture]);
  const isChanged = from !== posture;
  const since = isChanged || record === undefined ? at : record.since;
  const change = { posture, reasons: judgement.reasons, since, evidence };
  const facts = { digest, version, counter, bootState, releaseId: releaseId ?? null };
  return [
    record ? postures.changing(record, change) : postures.inserting({ tenant, deviceId, ...change, revision: 0 }),
    audit.entry({
      tenant,
      actor: actorOf(principal),
      action: 'evidence.accepted',
      subject: deviceId,
      details: { ...facts, ...given.more, posture },
    }),
    outbox.event({ tenant, name: 'evidence.accepted', subject: deviceId, data: facts }),
    ...(isChanged ? [changedEvent(device, { from, to: posture, reasons: judgement.reasons }, outbox)] : []),
    ...(posture === 'quarantined' ? quarantineWrites(registry, device, judgement.reasons) : []),
  ];
}

export function changedEvent(
  { tenant, deviceId }: Pick<DeviceRecord, 'tenant' | 'deviceId'>,
  change: { readonly from: string; readonly to: string; readonly reasons: readonly PostureReason[] },
  outbox: Outbox,
): Write {
  const { from, to } = change;
  const reasons = change.reasons.map(({ code }) => code).join(' ');
  return outbox.event({ tenant, name: 'posture.changed', subject: deviceId, data: { from, to, reasons } });
}

function quarantineWrites(
  registry: EvidenceWritePorts['registry'],
  device: DeviceRecord,
  reasons: readonly PostureReason[],
): readonly Write[] {
  const [worst] = reasons;
  if (worst === undefined) return [];
  return registry.quarantining({ kind: 'system', tenant: device.tenant }, device, { ...worst, details: {} });
}
