import type {
  DeviceRepository,
  ExecutionRecord,
  JobRecord,
  PostureRepository,
  ProductRepository,
  UpdateRepositories,
} from '../ports/index.ts';
import { judgeAssignment } from './assignment.ts';
import type { ExecutionEvent } from './execution-machine.ts';
import type { ExecutionWriter } from './execution-writer.ts';
import { type DocumentVerdict, type JobDocument, type ManifestJudge, verifyJobDocument } from './job-documents.ts';

export interface StartGatePorts extends Pick<UpdateRepositories, 'executions' | 'jobs' | 'releases'> {
  readonly writer: ExecutionWriter;
  readonly manifests: ManifestJudge;
  readonly devices: DeviceRepository;
  readonly postures: PostureRepository;
  readonly products: ProductRepository;
}

interface Objection {
  readonly event: ExecutionEvent;
  readonly reason: string;
}

/** What an execution passes before its device is given the job: rights are read anew, the document is verified anew. */
export class StartGate {
  readonly #ports: StartGatePorts;

  constructor(ports: StartGatePorts) {
    this.#ports = ports;
  }

  /** Ends a queued execution that its device may no longer start; undefined when it may, or has. */
  async weed(execution: ExecutionRecord, job: JobRecord): Promise<ExecutionRecord | undefined> {
    if (execution.status !== 'QUEUED') return undefined;
    const objection = await this.#objectionTo(execution, job);
    if (objection === undefined) return undefined;
    return this.#ports.writer.step(execution, objection.event, { actor: 'system', reason: objection.reason });
  }

  /** The document to give out. One that is not what was signed ends the execution and is left in the log. */
  async documentOf(execution: ExecutionRecord, job: JobRecord): Promise<JobDocument | undefined> {
    const verdict = await this.judgeDocument(job);
    if (verdict.kind === 'sound') return verdict.document;
    const wish = { actor: 'system', reason: verdict.code, action: 'job.document_refused' };
    await this.#ports.writer.step(execution, 'fail', wish);
    return undefined;
  }

  async judgeDocument(job: JobRecord): Promise<DocumentVerdict> {
    const { releases, manifests } = this.#ports;
    const release = job.releaseId === undefined ? undefined : await releases.find(job.tenant, job.releaseId);
    return verifyJobDocument(job, release, manifests);
  }

  async #objectionTo({ tenant, deviceId, releaseId }: ExecutionRecord, job: JobRecord): Promise<Objection | undefined> {
    const { devices, postures, products, releases } = this.#ports;
    if (job.state !== 'open') return { event: 'cancel', reason: 'update.job_ended' };
    if (releaseId === undefined) return undefined;
    const release = await releases.find(tenant, releaseId);
    const product = release && (await products.find(tenant, release.product));
    if (release === undefined || product === undefined) return { event: 'remove', reason: 'update.unknown_release' };
    const device = await devices.find(tenant, deviceId);
    const evidence = (await postures.find(tenant, deviceId))?.evidence;
    const assignment = judgeAssignment({ device, product, release, evidence });
    if (assignment.kind === 'target') return undefined;
    return { event: assignment.code === 'already-installed' ? 'prove' : 'cancel', reason: assignment.code };
  }
}
