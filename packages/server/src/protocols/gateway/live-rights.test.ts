import { silentLog } from '@holdfast/kernel';
import { type AdmittedPeer, CompiledPolicy, DEVICE_POLICY, Rights } from '@holdfast/trust/communication';
import { beforeEach, describe, expect, it } from 'vitest';
import { LiveRights, RefreshQueue } from './live-rights.ts';
import { PeerAdmission } from './peer-admission.ts';
import { GatewayWorld } from './testing/gateway-world.ts';

let world: GatewayWorld;
beforeEach(() => {
  world = new GatewayWorld();
});

describe('live rights', () => {
  let level: 'full' | 'none';
  let failing: boolean;
  const facts = { clientId: 'lamp-1', remoteAddress: 'a' };
  const make = () => {
    const context = {
      clientId: 'lamp-1',
      sourceIp: 'a',
      thing: { name: 'lamp-1', typeName: undefined, attributes: {} },
      certificate: undefined,
      posture: undefined,
      firmwareVersion: undefined,
      securityCounter: undefined,
    };
    const policies = level === 'full' ? [DEVICE_POLICY] : [];
    return new Rights(level, new CompiledPolicy(policies, undefined, context), world.clock);
  };
  const ports = () => ({
    admission: new PeerAdmission({
      identifier: world.registry,
      sessions: world.sessions,
      trail: world.trail,
      clock: world.clock,
    }),
    authority: { rightsOf: () => (failing ? Promise.reject(new Error('store')) : Promise.resolve(make())) },
    sessions: world.sessions,
    refreshes: new RefreshQueue(world.clock),
    clock: world.clock,
    log: silentLog,
  });
  const start = () => {
    const session = world.live();
    const { refreshes, ...rest } = ports();
    const rights = new LiveRights(
      { ...rest, refreshes },
      { session, connection: facts, wish: { clientId: 'lamp-1', persistent: false, will: undefined } },
      make(),
    );
    return { session, refreshes, rights };
  };
  beforeEach(() => {
    level = 'full';
    failing = false;
  });

  it('are read again when something changed while they were read for the first time', async () => {
    const session = world.live();
    const reads: string[] = [];
    const rightsOf = () => {
      const read = make();
      reads.push(level);
      // Committed after this reading, and announced before anybody holds what it gave.
      level = 'none';
      session.refresh?.();
      return Promise.resolve(read);
    };
    const rights = await LiveRights.open(
      { ...ports(), authority: { rightsOf } },
      { session, connection: facts, wish: { clientId: 'lamp-1', persistent: false, will: undefined } },
      session.peer as AdmittedPeer,
    );
    expect([reads.slice(0, 2), rights.current.level]).toEqual([['full', 'none'], 'none']);
    expect([session.state, session.cutFor]).toEqual(['ended', 'rights-lost']);
  });

  it('stay as they were while the store does not answer, and follow when it does', async () => {
    const { session, refreshes, rights } = start();
    failing = true;
    level = 'none';
    session.refresh?.();
    await refreshes.settled();
    expect([session.state, rights.current.level]).toEqual(['live', 'full']);
    failing = false;
    world.clock.advance(1_000);
    await refreshes.settled();
    expect([session.state, session.cutFor]).toEqual(['ended', 'rights-lost']);
  });

  it('are read again by themselves, for changes that nobody announces', async () => {
    const { refreshes, rights } = start();
    const before = rights.current;
    world.clock.advance(90_000);
    await refreshes.settled();
    expect(rights.current).not.toBe(before);
  });

  it('are read once for many changes at once', async () => {
    const { session, refreshes } = start();
    const before = world.registry.reads;
    for (let i = 0; i < 10; i++) session.refresh?.();
    await refreshes.settled();
    expect(world.registry.reads - before).toBe(1);
  });
});
