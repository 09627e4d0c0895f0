import { beforeEach, describe, expect, it } from 'vitest';
import { GatewayWorld } from './testing/gateway-world.ts';

let world: GatewayWorld;
beforeEach(() => {
  world = new GatewayWorld();
});

describe('the audit trail', () => {
  const fact = { tenant: 'default', actor: 'device:lamp-1', action: 'publish.refused', subject: 'lamp-1', details: {} };

  it('keeps the first refusals of a source and counts the rest in a later entry', async () => {
    for (let i = 0; i < 20; i++) world.trail.record('c1', fact);
    world.trail.record('c2', { ...fact, details: { topic: 'x'.repeat(300) } });
    world.clock.advance(60_000);
    world.trail.record('c1', fact);
    await world.trail.settled();
    expect(world.audit.facts).toHaveLength(7);
    expect(world.audit.facts[5]?.details).toEqual({ topic: 'x'.repeat(256), suppressed: 15 });
    expect(world.audit.facts[6]?.details).toEqual({});
  });

  it('keeps all sources together to a pace', async () => {
    for (let i = 0; i < 1_000; i++) world.trail.record(`c${i}`, fact);
    await world.trail.settled();
    expect(world.audit.facts).toHaveLength(200);
  });
});
