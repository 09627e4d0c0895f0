import type { EventName, StoredEvent } from '../ports/index.ts';
import type { ControlJobs } from './control-jobs.ts';
import type { Proof } from './proof.ts';
import type { Rollouts } from './rollouts.ts';

export interface UpdateReactionsPorts {
  readonly proof: Proof;
  readonly control: ControlJobs;
  readonly rollouts: Rollouts;
}

type Reaction = (event: StoredEvent) => Promise<void>;

const BOOT_STATES = ['test', 'confirmed', 'recovery'] as const;

/** What the update room does on facts of other rooms. Each may be told twice. */
export class UpdateReactions {
  readonly #reactions: Readonly<Partial<Record<EventName, Reaction>>>;

  constructor({ proof, control, rollouts }: UpdateReactionsPorts) {
    this.#reactions = {
      'evidence.accepted': async ({ at, data, subject, tenant }) => {
        const { digest } = data;
        const bootState = BOOT_STATES.find((state) => state === data['bootState']);
        if (typeof digest !== 'string' || bootState === undefined) return;
        await proof.evidenceAccepted(tenant, subject, { digest, bootState, at });
      },
      'device.revoked': ({ name, subject, tenant }) => control.cancelAllOf(tenant, subject, name),
      'release.cancelled': ({ subject, tenant }) => rollouts.releaseCancelled(tenant, subject),
      'artifact.corrupt': ({ subject }) => rollouts.artifactCorrupt(subject),
    };
  }

  async onEvent(event: StoredEvent): Promise<void> {
    await this.#reactions[event.name]?.(event);
  }
}
