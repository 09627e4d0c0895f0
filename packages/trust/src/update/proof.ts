import type {
  AcceptedEvidence,
  DeviceId,
  ExecutionRecord,
  PostureRepository,
  Tenant,
  UpdateRepositories,
} from '../ports/index.ts';
import type { ExecutionWriter } from './execution-writer.ts';
import { judgeProof, triedSince } from './proof-rule.ts';
import { retryConflict } from './retry-conflict.ts';

export interface ProofPorts extends Pick<UpdateRepositories, 'executions' | 'releases'> {
  readonly writer: ExecutionWriter;
  readonly postures: Pick<PostureRepository, 'find'>;
}

/** Evidence that was accepted, as its event states it. */
export type ProvingEvidence = Pick<AcceptedEvidence, 'digest' | 'bootState' | 'at'>;

/** Ends firmware executions by what devices prove; told of every accepted evidence. */
export class Proof {
  readonly #ports: ProofPorts;

  constructor(ports: ProofPorts) {
    this.#ports = ports;
  }

  /** Safe to repeat: what has ended stays as it is. */
  evidenceAccepted(tenant: Tenant, deviceId: DeviceId, evidence: ProvingEvidence): Promise<void> {
    return retryConflict(async () => {
      for (const execution of await this.#ports.executions.pendingOf(tenant, deviceId)) {
        if (execution.releaseId !== undefined) await this.#judge(execution, execution.releaseId, evidence);
      }
    });
  }

  async #judge(execution: ExecutionRecord, releaseId: string, evidence: ProvingEvidence): Promise<void> {
    const { postures, releases, writer } = this.#ports;
    const { tenant, deviceId } = execution;
    const release = await releases.find(tenant, releaseId);
    if (release === undefined) return;
    const verdict = judgeProof({ execution, release, evidence });
    const actor = `device:${deviceId}`;
    if (verdict.kind === 'proves') {
      // An event told late or again must not prove what the device has left since.
      const newest = (await postures.find(tenant, deviceId))?.evidence;
      if (newest === undefined || judgeProof({ execution, release, evidence: newest }).kind !== 'proves') return;
      await writer.step(execution, 'prove', { actor });
    }
    if (execution.status !== 'IN_PROGRESS') return;
    if (verdict.kind === 'on-trial' && execution.triedAt === undefined) {
      await writer.mark(execution, { triedAt: triedSince(execution, evidence.at) });
    }
    if (verdict.kind === 'rolled-back') {
      await writer.step(execution, 'roll-back', { actor, reason: 'evidence shows other firmware after the trial' });
    }
  }
}
