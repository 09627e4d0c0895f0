import { beforeEach, describe, expect, it } from 'vitest';
import { claim, GatewayWorld, LAMP, lamp } from './testing/gateway-world.ts';

let world: GatewayWorld;
beforeEach(() => {
  world = new GatewayWorld();
});

describe('the session table', () => {
  it.each([
    ['its device', LAMP, lamp],
    ['its certificate', { kind: 'certificate', fingerprint: lamp.fingerprint }, lamp],
    ['its claim', { kind: 'claim', tenant: 'default', claimId: 'claim-1' }, claim],
  ] as const)('cuts a session by %s, once', (_, target, issued) => {
    const session = world.live(issued);
    expect(world.sessions.cut(target, 'device-revoked')).toMatchObject({ sessions: 1 });
    expect(world.sessions.cut(target, 'device-revoked')).toMatchObject({ sessions: 0 });
    expect(world.ended).toEqual([[session.connection.id, 'device-revoked']]);
    expect([session.state, session.cutFor, session.signal.aborted]).toEqual(['ended', 'device-revoked', true]);
    expect(world.sessions.size).toBe(0);
  });

  it('aborts whoever waits for the end of a session, also who asks after it', () => {
    const [held, late] = [world.live(), world.live()];
    const { signal } = held;
    expect(signal.aborted).toBe(false);
    world.sessions.closed(held);
    world.sessions.closed(late);
    expect([signal.aborted, held.signal.aborted, late.signal.aborted]).toEqual([true, true, true]);
  });

  it('cuts by certificate what is not identified yet', () => {
    const session = world.register();
    expect(
      world.sessions.cut({ kind: 'certificate', fingerprint: lamp.fingerprint }, 'certificate-revoked').sessions,
    ).toBe(1);
    expect(world.sessions.admit(session, world.registry.peerOf(lamp))).toBe(false);
  });

  it('lets no session live whose device was cut while its status was being read', () => {
    const session = world.register();
    expect(world.sessions.cut(LAMP, 'device-revoked').sessions).toBe(0);
    expect(world.sessions.admit(session, world.registry.peerOf(lamp))).toBe(false);
    expect(world.ended).toEqual([[session.connection.id, 'device-revoked']]);
  });

  it('leaves others alone', () => {
    world.live();
    for (const target of [
      { ...LAMP, deviceId: 'lamp-2' },
      { ...LAMP, tenant: 'other' },
      { kind: 'claim', tenant: 'default', claimId: 'lamp-1' },
    ] as const) {
      expect(world.sessions.cut(target, 'device-revoked').sessions).toBe(0);
    }
    expect(world.sessions.ofDevice('default', 'lamp-1')).toHaveLength(1);
  });

  it('ends sessions at the end of their certificate, and when the clock is set past it', () => {
    world.live();
    world.clock.advance(lamp.notAfter - world.clock.now());
    expect(world.ended).toEqual([]);
    world.clock.advance(1_001);
    expect(world.ended).toMatchObject([[expect.anything(), 'certificate-expired']]);
    world.live();
    world.clock.jump(86_400_000 * 400);
    world.clock.advance(1_000);
    expect(world.ended).toHaveLength(2);
  });

  it('forgets a connection that went by itself', () => {
    const session = world.live();
    world.sessions.closed(session);
    world.sessions.end(session, 'rights-lost');
    expect([world.ended, world.sessions.size, session.cutFor]).toEqual([[], 0, undefined]);
  });

  it('tells its listeners of each session twice', () => {
    const heard: string[] = [];
    world.sessions.onChange((_, change) => heard.push(change));
    const session = world.live();
    world.sessions.end(session, 'rights-lost');
    world.register();
    expect(heard).toEqual(['live', 'ended']);
  });

  it('ends everything when it is closed', () => {
    world.live();
    world.register();
    world.sessions.close();
    expect(world.ended.map(([, reason]) => reason)).toEqual(['listener-closed', 'listener-closed']);
  });
});
