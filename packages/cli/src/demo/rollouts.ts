import type { Execution } from '@holdfast/api';
import type { Stage } from './stage.ts';
import { until } from './waiting.ts';

/** The executions of a rollout to so many devices, once every one of them has ended. */
export function executionsEnded(stage: Stage, rollout: string, devices: number): Promise<readonly Execution[]> {
  return until(
    `the end of rollout ${rollout}`,
    async () => {
      const { executions } = await stage.client.call('rollouts.show', { rollout });
      const isOver = executions.length === devices && executions.every(({ outcome }) => outcome !== undefined);
      return isOver ? executions : undefined;
    },
    stage,
  );
}
