import { beforeEach, describe, expect, it } from 'vitest';
import { PeerAdmission } from './peer-admission.ts';
import { GatewayWorld, lamp } from './testing/gateway-world.ts';

let world: GatewayWorld;
beforeEach(() => {
  world = new GatewayWorld();
});

describe('admission', () => {
  const connection = { id: 'c', protocol: 'mqtt', fingerprint: lamp.fingerprint, remoteAddress: 'a' } as const;
  const admit = () =>
    new PeerAdmission({
      identifier: world.registry,
      sessions: world.sessions,
      trail: world.trail,
      clock: world.clock,
    }).open({
      ...connection,
      end: (reason) => world.ended.push(['c', reason]),
    });

  it('registers before it reads', async () => {
    const opened = admit();
    expect([world.sessions.size, opened.session.state]).toEqual([1, 'identifying']);
    await opened.admission;
  });

  it('refuses what cannot be read, and leaves a live session alone then', async () => {
    const { session, admission } = admit();
    expect(await admission).toMatchObject({ kind: 'admitted' });
    world.registry.refuse(lamp, 'store.unavailable');
    const again = new PeerAdmission({
      identifier: world.registry,
      sessions: world.sessions,
      trail: world.trail,
      clock: world.clock,
    });
    expect(await again.recheck(session)).toEqual({ kind: 'refused', code: 'store.unavailable' });
    expect(session.state).toBe('live');
    world.registry.refuse(lamp, 'identity.device_suspended');
    await again.recheck(session);
    expect(session.cutFor).toBe('device-suspended');
  });
});
