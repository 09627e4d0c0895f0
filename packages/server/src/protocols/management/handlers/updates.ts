import type { Rehearsal, ReleaseDetail } from '@holdfast/api';
import { formatRfc3339, type JsonValue, parseStrictJson } from '@holdfast/kernel';
import type { ReleaseRecord, RolloutRecord, Tenant } from '@holdfast/trust/ports';
import type { OperatorPrincipal } from '@holdfast/trust/principal';
import type { ControlJobs, Rehearsals, RehearsalStanding, Releases, Rollouts } from '@holdfast/trust/update';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';
import { viewExecution, viewRelease, viewRollout } from './views.ts';

const SHOWN_EXECUTIONS = 1000;

interface StoredUpload {
  readonly id: string;
  readonly sha256: string;
  readonly length: number;
}

export interface UpdateHandlerPorts {
  readonly releases: Releases;
  readonly rollouts: Rollouts;
  readonly rehearsals: Rehearsals;
  readonly jobs: ControlJobs;
  readonly uploads: { store(principal: OperatorPrincipal, octets: AsyncIterable<Uint8Array>): Promise<StoredUpload> };
  /** What the verifier reads in the release's image. */
  readonly imageFacts: (release: ReleaseRecord) => Promise<ReleaseDetail['image']>;
  /** The whole signed file. @throws `storage.corrupt` */
  readonly imageBytes: (release: ReleaseRecord) => Promise<Uint8Array<ArrayBuffer>>;
}

type UpdateOperation =
  | 'artifacts.upload'
  | 'releases.create'
  | 'releases.list'
  | 'releases.show'
  | 'releases.image'
  | 'releases.cancel'
  | 'releases.rehearsal'
  | 'releases.rehearse'
  | 'releases.cancel-rehearsal'
  | 'rollouts.plan'
  | 'rollouts.create'
  | 'rollouts.list'
  | 'rollouts.show'
  | 'rollouts.cancel'
  | 'jobs.create'
  | 'jobs.show'
  | 'jobs.cancel';

export function updateHandlers(ports: UpdateHandlerPorts): Pick<ManagementHandlers, UpdateOperation> {
  const { rehearsals, releases, rollouts, jobs, uploads } = ports;
  const rolloutView = async (tenant: Tenant, rollout: RolloutRecord) =>
    viewRollout(rollout, await rollouts.counts(tenant, rollout.rolloutId));

  return {
    'artifacts.upload': async ({ octets }, { principal }) => uploads.store(principal, octets),
    'releases.create': async ({ body }, { principal }) => {
      const { securityCounter: counter, hardwareRevision, ...wish } = body;
      const release = await releases.create(principal, { ...wish, hardwareRevision, counter });
      // A rollout that follows at once waits for this one and starts no other.
      rehearsals.begin(principal, release);
      return viewRelease(release);
    },
    'releases.list': async ({ query }, { principal }) => {
      const page = await releases.list(principal.tenant, query);
      return pageOf(page.rows.map(viewRelease), page.next);
    },
    'releases.show': async ({ release: id }, { principal }) => {
      const release = await releases.show(principal.tenant, id);
      return {
        ...viewRelease(release),
        manifest: parseStrictJson(release.manifest),
        image: await ports.imageFacts(release),
        rehearsal: viewRehearsal(await rehearsals.standing(release)),
      };
    },
    'releases.image': async ({ release }, { principal }) =>
      ports.imageBytes(await releases.show(principal.tenant, release)),
    'releases.cancel': async ({ release }, { principal }) => viewRelease(await releases.cancel(principal, release)),

    'releases.rehearsal': async ({ release }, { principal }) =>
      viewRehearsal(await rehearsals.standing(await releases.show(principal.tenant, release))),
    'releases.rehearse': async ({ release: id }, { principal }) => {
      const release = await releases.show(principal.tenant, id);
      rehearsals.begin(principal, release);
      return viewRehearsal(await rehearsals.standing(release));
    },
    'releases.cancel-rehearsal': async ({ release: id }, { principal }) => {
      const release = await releases.show(principal.tenant, id);
      await rehearsals.cancel(release);
      return viewRehearsal(await rehearsals.standing(release));
    },

    'rollouts.plan': async ({ body }, { principal }) => {
      const plan = await rollouts.plan(principal.tenant, { releaseId: body.releaseId, target: targetOf(body) });
      return { targets: [...plan.targets], excluded: plan.excluded.map((row) => ({ ...row })) };
    },
    'rollouts.create': async ({ body }, { principal }) => {
      const { releaseId, inProgressTimeoutMinutes } = body;
      const rollout = await rollouts.create(principal, { releaseId, target: targetOf(body), inProgressTimeoutMinutes });
      return rolloutView(principal.tenant, rollout);
    },
    'rollouts.list': async ({ query }, { principal }) => {
      const page = await rollouts.list(principal.tenant, query);
      return pageOf(await Promise.all(page.rows.map((row) => rolloutView(principal.tenant, row))), page.next);
    },
    'rollouts.show': async ({ rollout: id }, { principal }) => {
      const rollout = await rollouts.show(principal.tenant, id);
      const executions = await rollouts.executions(principal.tenant, id, { limit: SHOWN_EXECUTIONS });
      return { ...(await rolloutView(principal.tenant, rollout)), executions: executions.rows.map(viewExecution) };
    },
    'rollouts.cancel': async ({ rollout }, { principal }) =>
      rolloutView(principal.tenant, await rollouts.cancel(principal, rollout)),

    'jobs.create': async ({ body }, { principal }) => {
      const { jobId, devices, document, inProgressTimeoutMinutes } = body;
      const { queued } = await jobs.create(principal, {
        jobId,
        deviceIds: devices,
        document: document as JsonValue,
        inProgressTimeoutMinutes,
      });
      return { jobId, devices: queued.length };
    },
    'jobs.show': async ({ job }, { principal }) => {
      await jobs.show(principal.tenant, job);
      const page = await jobs.executions(principal.tenant, job, { limit: SHOWN_EXECUTIONS });
      return { jobId: job, executions: page.rows.map(viewExecution) };
    },
    'jobs.cancel': async ({ job }, { principal }) => ({ jobId: job, ...(await jobs.cancel(principal, job)) }),
  };
}

function viewRehearsal(standing: RehearsalStanding): Rehearsal {
  if (standing.kind === 'none') return { state: 'none' };
  if (standing.kind === 'running') return { state: 'running', progress: { ...standing.progress } };
  const { result, report, rehearsedAt } = standing.record;
  return { state: result, report: JSON.parse(report) as Rehearsal['report'], at: formatRfc3339(rehearsedAt) };
}

function targetOf(body: { readonly group?: string | undefined; readonly devices?: readonly string[] | undefined }) {
  return body.group === undefined
    ? ({ kind: 'devices', deviceIds: body.devices ?? [] } as const)
    : ({ kind: 'group', group: body.group } as const);
}
