import { concatBytes, encodeUtf8 } from '@holdfast/kernel';
import { executionsEnded } from '../rollouts.ts';
import { FAILING_VERSION, STORY_HUBS } from '../stage.ts';
import { findingOf, type Trial } from '../trial.ts';
import { release } from './beginning.ts';

export const ROLLBACK: Trial = {
  name: 'rolled-back',
  title: 'one is sent a third, rightly signed release whose self-test fails',
  expected: 'it reverts; shown rolled back by its evidence, although its own last word was IN_PROGRESS',
  async perform(stage) {
    const { newer } = stage.firmware;
    const { serial } = STORY_HUBS.est;
    const hub = stage.hub(serial);
    const firmware = concatBytes(newer.bytes, encodeUtf8('a build that does not pass its self-test'));
    const releaseId = await release(stage, FAILING_VERSION, 3, firmware);
    const before = hub.events.length;
    const rollout = await stage.client.call('rollouts.create', { body: { releaseId, devices: [serial] } });
    const [execution] = await executionsEnded(stage, rollout.id, 1);
    const said = hub.events.slice(before);
    const reverted = said.some((event) => event.kind === 'reset' && event.reason === 'self-test-failed');
    const lastWord = execution?.statusDetails['step'];
    const { firmware: runs } = await stage.client.call('devices.show', { device: serial });
    return findingOf([
      ['outcome', execution?.outcome ?? 'open', execution?.outcome === 'rolled-back'],
      ['device', reverted ? 'reset after its self-test failed' : 'never failed its self-test', reverted],
      ['last word', `IN_PROGRESS ${lastWord}`, lastWord === 'restarting'],
      ['runs', `${runs?.version} ${runs?.bootState}`, runs?.version === newer.version],
      ['counter', hub.made.device.securityCounter, hub.made.device.securityCounter === 2],
    ]);
  },
};
