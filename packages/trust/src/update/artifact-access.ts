import { HoldfastError } from '@holdfast/kernel';
import type {
  ByteRange,
  ExecutionRecord,
  OpenBlob,
  ProductRepository,
  ReleaseRecord,
  Tenant,
  UpdateRepositories,
} from '../ports/index.ts';
import type { JobOwner } from './device-jobs.ts';
import { EXECUTION_MACHINE } from './execution-machine.ts';

/** The stored images, opened for reading in clear. */
export interface ArtifactFiles {
  /** Undefined when there is none. */
  open(tenant: Tenant, artifactId: string): Promise<OpenBlob | undefined>;
}

export interface ArtifactAccessPorts extends Pick<UpdateRepositories, 'executions' | 'releases'> {
  readonly products: ProductRepository;
  readonly files: ArtifactFiles;
}

/** A file a device may read as long as its execution is open: every read asks again. */
export interface GrantedFile {
  readonly release: ReleaseRecord;
  readonly jobId: string;
  readonly size: number;
  /** @throws `update.unknown_file` once the execution ended or the release may no longer be served */
  read(range: ByteRange): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The only way to a stored image: through an open execution of the asking device. Every refusal looks the same. */
export class ArtifactAccess {
  readonly #ports: ArtifactAccessPorts;

  constructor(ports: ArtifactAccessPorts) {
    this.#ports = ports;
  }

  /** @throws `update.unknown_file` */
  async openForJob(owner: JobOwner, jobId: string): Promise<GrantedFile> {
    const execution = await this.#ports.executions.find(owner.tenant, owner.deviceId, jobId);
    const release = execution && (await this.#servable(execution));
    if (execution === undefined || release === undefined) throw new HoldfastError('update.unknown_file', { jobId });
    return this.#open(execution, release);
  }

  /** @throws `update.unknown_file` */
  async openForStream(owner: JobOwner, streamId: string): Promise<GrantedFile> {
    for (const execution of await this.#ports.executions.pendingOf(owner.tenant, owner.deviceId)) {
      const release = await this.#servable(execution);
      if (release?.streamId === streamId) return this.#open(execution, release);
    }
    throw new HoldfastError('update.unknown_file', { stream: streamId });
  }

  async #open(execution: ExecutionRecord, release: ReleaseRecord): Promise<GrantedFile> {
    const { executions, files } = this.#ports;
    const { tenant, deviceId, jobId } = execution;
    const file = await files.open(tenant, release.artifactId);
    if (file === undefined) throw new HoldfastError('update.unknown_file', { jobId });
    return {
      release,
      jobId,
      size: file.size,
      read: async (range) => {
        const now = await executions.find(tenant, deviceId, jobId);
        if (now === undefined || (await this.#servable(now)) === undefined) {
          throw new HoldfastError('update.unknown_file', { jobId });
        }
        return file.read(range);
      },
      close: () => file.close(),
    };
  }

  /** The release of an open execution, when it may be served: published and not below the product's floor. */
  async #servable({ tenant, status, releaseId }: ExecutionRecord): Promise<ReleaseRecord | undefined> {
    if (releaseId === undefined || EXECUTION_MACHINE.isTerminal(status)) return undefined;
    const release = await this.#ports.releases.find(tenant, releaseId);
    if (release?.state !== 'published') return undefined;
    const product = await this.#ports.products.find(tenant, release.product);
    return product !== undefined && release.counter >= product.minimumCounter ? release : undefined;
  }
}
