import { ADMITTED, credentialsOf, knock } from '../outsider.ts';
import { STORY_HUBS } from '../stage.ts';
import { EXTRA } from '../story/extras.ts';
import { findingOf, type Trial } from '../trial.ts';

const REFUSED = 'notAuthorized';

export const FOREIGN_TOPICS: Trial = {
  name: 'foreign-topics',
  title: 'a proven device listens to and speaks for others, by name and by wildcard',
  expected: 'every filter and every message refused; nothing of what the other one says is heard',
  async perform(stage) {
    const victim = stage.hub(EXTRA.old);
    const own = `devices/${EXTRA.bench}/telemetry`;
    const foreign = filtersOn(victim.id);
    const bystander = STORY_HUBS.csr.serial;
    const insider = await knock(stage, credentialsOf(await stage.hub(EXTRA.bench).identity()));
    const overheard = await knock(stage, credentialsOf(await victim.identity()));
    try {
      const grants = await insider.line.subscribe(foreign);
      const [ownGrant] = await insider.line.subscribe([own]);
      const spoken = await Promise.all(topicsOf(bystander).map((topic) => insider.line.publish(topic, '{}')));
      await overheard.line.subscribe([`devices/${victim.id}/#`]);
      const said = await overheard.line.publish(`devices/${victim.id}/telemetry`, '{"battery":80}');
      await overheard.line.next('publish');
      // The insider's own message comes after the other's: whatever was to be heard has been heard by now.
      await insider.line.publish(own, '{}');
      await insider.line.next('publish');
      const heard = insider.line.messages.filter((topic) => topic !== own);
      const refusedGrants = grants.filter((grant) => grant === REFUSED).length;
      const refusedWords = spoken.filter((word) => word === REFUSED).length;
      return findingOf([
        ['connections', `${insider.answer}, ${overheard.answer}`, insider.answer === ADMITTED],
        ['filters refused', `${refusedGrants} of ${foreign.length}`, refusedGrants === foreign.length],
        ['own filter', ownGrant ?? 'no answer', ownGrant === 'granted QoS 1'],
        ['messages refused', `${refusedWords} of ${spoken.length}`, refusedWords === spoken.length],
        ['overheard', `${heard.length} of ${overheard.line.messages.length}`, heard.length === 0 && said === 'success'],
      ]);
    } finally {
      await insider.line.close();
      await overheard.line.close();
    }
  },
};

function filtersOn(victim: string): readonly string[] {
  return [
    '#',
    '+/+/telemetry',
    'devices/#',
    'devices/+/telemetry',
    `devices/${victim}/#`,
    `devices/${victim}/telemetry`,
    '$aws/things/+/jobs/#',
    `$aws/things/${victim}/jobs/notify-next`,
    `$aws/things/${victim}/#`,
    '$holdfast/things/+/evidence/#',
    `$share/all/devices/${victim}/#`,
  ];
}

function topicsOf(victim: string): readonly string[] {
  return [
    `devices/${victim}/telemetry`,
    `$aws/things/${victim}/jobs/start-next`,
    `$holdfast/things/${victim}/health`,
    `$holdfast/things/${victim}/evidence/nonce`,
  ];
}
