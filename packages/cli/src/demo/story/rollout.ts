import type { AgentEvent } from '@holdfast/device';
import type { Hub } from '../hub.ts';
import { executionsEnded } from '../rollouts.ts';
import { GROUP, STORY_HUBS } from '../stage.ts';
import { findingOf, type Observation, type Trial } from '../trial.ts';
import { release } from './beginning.ts';

/** Flash operations into the swap of a 300 KB image: some sectors are exchanged, some are not. */
const CUT_AT = 6;

export const ROLLOUT: readonly Trial[] = [
  {
    name: 'rollout',
    title: 'a rollout brings all three from the older to the newer firmware',
    expected: 'every execution ends proven by evidence of the confirmed boot; counter 2 in every fuse bank',
    async perform(stage) {
      const { newer } = stage.firmware;
      const releaseId = await release(stage, newer.version, 2, newer.bytes);
      const hubs = Object.values(STORY_HUBS).map(({ serial }) => stage.hub(serial));
      cutPowerInSwap(stage.hub(STORY_HUBS.keys.serial));
      const rollout = await stage.client.call('rollouts.create', { body: { releaseId, group: GROUP } });
      const executions = await executionsEnded(stage, rollout.id, hubs.length);
      return findingOf(
        hubs.map(({ id, made }): Observation => {
          const { outcome = 'open' } = executions.find(({ deviceId }) => deviceId === id) ?? {};
          const { securityCounter } = made.device;
          return [id, `${outcome}, counter ${securityCounter}`, outcome === 'proven' && securityCounter === 2];
        }),
      );
    },
  },
  {
    name: 'power-loss',
    title: 'one of them lost power in the middle of the swap',
    expected: 'the bootloader resumed the swap, and the update ended as if nothing had happened',
    async perform(stage) {
      const hub = stage.hub(STORY_HUBS.keys.serial);
      hub.watch(undefined);
      const { firmware } = await stage.client.call('devices.show', { device: hub.id });
      const has = (isIt: (event: AgentEvent) => boolean): boolean => hub.events.some(isIt);
      const lost = has(({ kind, ...event }) => kind === 'reset' && 'reason' in event && event.reason === 'power-lost');
      const resumed = has((event) => event.kind === 'boot-step' && event.step.kind === 'swap' && event.step.resumed);
      const { newer } = stage.firmware;
      return findingOf([
        ['power', lost ? 'lost in the swap' : 'never lost', lost],
        ['swap', resumed ? 'resumed' : 'not resumed', resumed],
        ['runs', `${firmware?.version} ${firmware?.bootState}`, firmware?.version === newer.version],
      ]);
    },
  },
];

function cutPowerInSwap(hub: Hub): void {
  let isCut = false;
  hub.watch((event) => {
    if (isCut || event.kind !== 'boot-step' || event.step.kind !== 'swap') return;
    isCut = true;
    hub.made.device.supply.setPlan([{ kind: 'power-cut', operation: CUT_AT, when: 'during', seed: 7 }]);
  });
}
