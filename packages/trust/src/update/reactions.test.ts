import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  MEASUREMENT_NEW,
  MEASUREMENT_OLD,
  OPERATOR,
  openUpdateWorld,
  type UpdateWorld,
} from '../../../server/src/testing/update-world.ts';
import type { EventName, StoredEvent } from '../ports/index.ts';
import { UpdateReactions } from './index.ts';

let world: UpdateWorld;
let reactions: UpdateReactions;
let job: string;

beforeEach(async () => {
  world = await openUpdateWorld();
  reactions = new UpdateReactions(world);
  await world.addProduct();
  await world.addRelease('r1');
  const lamp = await world.addDevice('lamp-1');
  const wish = { releaseId: 'r1', target: { kind: 'group', group: 'all' }, inProgressTimeoutMinutes: 60 } as const;
  job = (await world.rollouts.create(OPERATOR, wish)).rolloutId;
  await world.jobs.startNext(lamp, {});
});
afterEach(() => world.opened.close());

const event = (name: EventName, subject: string, data: StoredEvent['data'] = {}): StoredEvent => ({
  tenant: 'default',
  name,
  subject,
  data,
  sequence: 1,
  at: world.clock.now(),
});

const evidence = { digest: MEASUREMENT_NEW, version: '2.0.0', counter: 2, bootState: 'confirmed', releaseId: 'r1' };

describe('the update room hears', () => {
  it.each<[EventName, string, StoredEvent['data'], string, string | undefined]>([
    ['evidence.accepted', 'lamp-1', evidence, 'SUCCEEDED', 'proven'],
    ['evidence.accepted', 'lamp-1', { ...evidence, bootState: 'unheard-of' }, 'IN_PROGRESS', undefined],
    ['evidence.accepted', 'lamp-2', evidence, 'IN_PROGRESS', undefined],
    ['evidence.refused', 'lamp-1', evidence, 'IN_PROGRESS', undefined],
    ['device.revoked', 'lamp-1', { reason: 'lost' }, 'CANCELED', 'canceled'],
    ['release.cancelled', 'r1', {}, 'CANCELED', 'canceled'],
    ['artifact.corrupt', 'artifact-r1', {}, 'CANCELED', 'canceled'],
    ['device.enrolled', 'lamp-1', {}, 'IN_PROGRESS', undefined],
  ])('%s of %s', async (name, subject, data, status, outcome) => {
    if (name === 'evidence.accepted') await world.recordEvidence(subject, { digest: MEASUREMENT_NEW });
    await reactions.onEvent(event(name, subject, data));
    await reactions.onEvent(event(name, subject, data));
    expect(await world.repositories.executions.find('default', 'lamp-1', job)).toMatchObject({ status, outcome });
  });

  it('evidence told again after the device left that firmware, and believes the newer', async () => {
    await world.recordEvidence('lamp-1', { digest: MEASUREMENT_OLD });
    await reactions.onEvent(event('evidence.accepted', 'lamp-1', evidence));
    expect(await world.repositories.executions.find('default', 'lamp-1', job)).toMatchObject({ status: 'IN_PROGRESS' });
  });
});
