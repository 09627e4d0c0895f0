import { ManualClock, silentLog } from '@holdfast/kernel';
import { CompiledPolicy, DEVICE_POLICY, Rights } from '@holdfast/trust/communication';
import type { EventHandler, EventName, Events, StoredEvent } from '@holdfast/trust/ports';
import { beforeEach, describe, expect, it } from 'vitest';
import { AddressRate } from './address-rate.ts';
import { ConnectGate } from './connect-gate.ts';
import {
  ADMISSION_LIMITS,
  AuditTrail,
  EventReactions,
  PeerAdmission,
  PresenceBoard,
  REACTIONS,
  type CutReason,
  type ServerCertificate,
  ServerCertificateRenewal,
  type Session,
  SessionTable,
} from './index.ts';
import { LiveRights, RefreshQueue } from './live-rights.ts';
import { TestAuthority } from './testing/test-authority.ts';
import { TestAudit, TestRegistry } from './testing/test-registry.ts';
import { deriveTicketKeys, TicketKeys } from './ticket-keys.ts';

const ours = new TestAuthority('Root');
const lamp = ours.issue({ profile: 'device-ldevid', name: 'lamp-1' });
const claim = ours.issue({ profile: 'claim', name: 'claim-1' });
const LAMP = { kind: 'device', tenant: 'default', deviceId: 'lamp-1' } as const;

let clock: ManualClock;
let registry: TestRegistry;
let sessions: SessionTable;
let audit: TestAudit;
let trail: AuditTrail;
let ended: [string, CutReason][];
let lastId = 0;

beforeEach(() => {
  clock = new ManualClock(Date.now());
  registry = new TestRegistry();
  registry.addDevice('lamp-1', lamp);
  registry.addClaim('claim-1', claim);
  sessions = new SessionTable(clock);
  audit = new TestAudit();
  trail = new AuditTrail({ store: audit, audit, clock, log: silentLog });
  ended = [];
});

function register(issued = lamp): Session {
  const id = `connection-${lastId++}`;
  return sessions.register({
    id,
    protocol: 'mqtt',
    fingerprint: issued.fingerprint,
    remoteAddress: '192.0.2.1',
    end: (reason) => ended.push([id, reason]),
  });
}

function live(issued = lamp): Session {
  const session = register(issued);
  expect(sessions.admit(session, registry.peerOf(issued))).toBe(true);
  return session;
}

describe('the session table', () => {
  it.each([
    ['its device', LAMP, lamp],
    ['its certificate', { kind: 'certificate', fingerprint: lamp.fingerprint }, lamp],
    ['its claim', { kind: 'claim', tenant: 'default', claimId: 'claim-1' }, claim],
  ] as const)('cuts a session by %s, once', (_, target, issued) => {
    const session = live(issued);
    expect(sessions.cut(target, 'device-revoked')).toMatchObject({ sessions: 1 });
    expect(sessions.cut(target, 'device-revoked')).toMatchObject({ sessions: 0 });
    expect(ended).toEqual([[session.connection.id, 'device-revoked']]);
    expect([session.state, session.cutFor, session.signal.aborted]).toEqual(['ended', 'device-revoked', true]);
    expect(sessions.size).toBe(0);
  });

  it('cuts by certificate what is not identified yet', () => {
    const session = register();
    expect(sessions.cut({ kind: 'certificate', fingerprint: lamp.fingerprint }, 'certificate-revoked').sessions).toBe(
      1,
    );
    expect(sessions.admit(session, registry.peerOf(lamp))).toBe(false);
  });

  it('lets no session live whose device was cut while its status was being read', () => {
    const session = register();
    expect(sessions.cut(LAMP, 'device-revoked').sessions).toBe(0);
    expect(sessions.admit(session, registry.peerOf(lamp))).toBe(false);
    expect(ended).toEqual([[session.connection.id, 'device-revoked']]);
  });

  it('leaves others alone', () => {
    live();
    for (const target of [
      { ...LAMP, deviceId: 'lamp-2' },
      { ...LAMP, tenant: 'other' },
      { kind: 'claim', tenant: 'default', claimId: 'lamp-1' },
    ] as const) {
      expect(sessions.cut(target, 'device-revoked').sessions).toBe(0);
    }
    expect(sessions.ofDevice('default', 'lamp-1')).toHaveLength(1);
  });

  it('ends sessions at the end of their certificate, and when the clock is set past it', () => {
    live();
    clock.advance(lamp.notAfter - clock.now());
    expect(ended).toEqual([]);
    clock.advance(1_001);
    expect(ended).toMatchObject([[expect.anything(), 'certificate-expired']]);
    live();
    clock.jump(86_400_000 * 400);
    clock.advance(1_000);
    expect(ended).toHaveLength(2);
  });

  it('forgets a connection that went by itself', () => {
    const session = live();
    sessions.closed(session);
    sessions.end(session, 'rights-lost');
    expect([ended, sessions.size, session.cutFor]).toEqual([[], 0, undefined]);
  });

  it('tells its listeners of each session twice', () => {
    const heard: string[] = [];
    sessions.onChange((_, change) => heard.push(change));
    const session = live();
    sessions.end(session, 'rights-lost');
    register();
    expect(heard).toEqual(['live', 'ended']);
  });

  it('ends everything when it is closed', () => {
    live();
    register();
    sessions.close();
    expect(ended.map(([, reason]) => reason)).toEqual(['listener-closed', 'listener-closed']);
  });
});

describe('admission', () => {
  const connection = { id: 'c', protocol: 'mqtt', fingerprint: lamp.fingerprint, remoteAddress: 'a' } as const;
  const admit = () =>
    new PeerAdmission({ identifier: registry, sessions, trail, clock }).open({
      ...connection,
      end: (reason) => ended.push(['c', reason]),
    });

  it('registers before it reads', async () => {
    const opened = admit();
    expect([sessions.size, opened.session.state]).toEqual([1, 'identifying']);
    await opened.admission;
  });

  it('refuses what cannot be read, and leaves a live session alone then', async () => {
    const { session, admission } = admit();
    expect(await admission).toMatchObject({ kind: 'admitted' });
    registry.refuse(lamp, 'store.unavailable');
    const again = new PeerAdmission({ identifier: registry, sessions, trail, clock });
    expect(await again.recheck(session)).toEqual({
      kind: 'refused',
      code: 'store.unavailable',
      actor: expect.anything(),
    });
    expect(session.state).toBe('live');
    registry.refuse(lamp, 'identity.device_suspended');
    await again.recheck(session);
    expect(session.cutFor).toBe('device-suspended');
  });
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
    return new Rights(level, new CompiledPolicy(policies, undefined, context), clock);
  };
  const start = () => {
    const session = live();
    const refreshes = new RefreshQueue(clock);
    const rights = new LiveRights(
      {
        admission: new PeerAdmission({ identifier: registry, sessions, trail, clock }),
        authority: { rightsOf: () => (failing ? Promise.reject(new Error('store')) : Promise.resolve(make())) },
        sessions,
        refreshes,
        clock,
        log: silentLog,
      },
      { session, connection: facts, wish: { clientId: 'lamp-1', persistent: false, will: undefined } },
      make(),
    );
    return { session, refreshes, rights };
  };
  beforeEach(() => {
    level = 'full';
    failing = false;
  });

  it('stay as they were while the store does not answer, and follow when it does', async () => {
    const { session, refreshes, rights } = start();
    failing = true;
    level = 'none';
    session.refresh?.();
    await refreshes.settled();
    expect([session.state, rights.current.level]).toEqual(['live', 'full']);
    failing = false;
    clock.advance(1_000);
    await refreshes.settled();
    expect([session.state, session.cutFor]).toEqual(['ended', 'rights-lost']);
  });

  it('are read again by themselves, for changes that nobody announces', async () => {
    const { refreshes, rights } = start();
    const before = rights.current;
    clock.advance(90_000);
    await refreshes.settled();
    expect(rights.current).not.toBe(before);
  });

  it('are read once for many changes at once', async () => {
    const { session, refreshes } = start();
    const before = registry.reads;
    for (let i = 0; i < 10; i++) session.refresh?.();
    await refreshes.settled();
    expect(registry.reads - before).toBe(1);
  });
});

class TestEvents implements Events {
  readonly #events: StoredEvent[] = [];
  #handler: EventHandler = () => undefined;
  wakes = true;

  async say(name: EventName, subject: string, data: StoredEvent['data'] = {}): Promise<void> {
    const event = { tenant: 'default', name, subject, data, sequence: this.#events.length + 1, at: 0 };
    this.#events.push(event);
    if (this.wakes) await this.#handler(event);
  }

  subscribe(_: string, handler: EventHandler): { close(): void } {
    this.#handler = handler;
    return { close: () => undefined };
  }

  since(sequence: number): Promise<readonly StoredEvent[]> {
    return Promise.resolve(this.#events.slice(sequence));
  }

  latest(): number {
    return this.#events.length;
  }
}

describe('events', () => {
  let events: TestEvents;
  let reactions: EventReactions;
  let cuts: CutReason[];
  beforeEach(() => {
    events = new TestEvents();
    cuts = [];
    reactions = new EventReactions({
      events,
      sessions,
      clock,
      log: silentLog,
      onCut: ({ reason }) => cuts.push(reason),
    });
    reactions.start();
  });

  const subjects: Readonly<Partial<Record<EventName, string>>> = {
    'certificate.revoked': lamp.fingerprint,
    'certificate.superseded': lamp.fingerprint,
    'claim.revoked': 'claim-1',
    'product.changed': 'lamp',
    'policy.changed': 'attached',
  };
  const rows = Object.entries(REACTIONS) as [EventName, { kind: 'cut' | 'refresh' }][];

  it.each(rows)('%s reaches the sessions it is about and no others', async (name, reaction) => {
    let refreshed = 0;
    const session = live(name === 'claim.revoked' ? claim : lamp);
    session.policies = ['attached'];
    session.refresh = () => refreshed++;
    await events.say(name, 'somebody-else');
    expect([session.state, refreshed]).toEqual(['live', 0]);
    await events.say(name, subjects[name] ?? 'lamp-1');
    expect([session.state, refreshed]).toEqual(reaction.kind === 'cut' ? ['ended', 0] : ['live', 1]);
    expect(cuts).toHaveLength(reaction.kind === 'cut' ? 2 : 0);
  });

  it('of an attachment reach the device or, for a group, everybody', async () => {
    let refreshed = 0;
    live().refresh = () => refreshed++;
    await events.say('policy.changed', 'new', { targetKind: 'device', targetId: 'lamp-2' });
    expect(refreshed).toBe(0);
    await events.say('policy.changed', 'new', { targetKind: 'device', targetId: 'lamp-1' });
    await events.say('policy.changed', 'new', { targetKind: 'group', targetId: 'any' });
    expect(refreshed).toBe(2);
  });

  it('that nobody announced are found by sequence on a timer', async () => {
    events.wakes = false;
    const session = live();
    await events.say('device.revoked', 'lamp-1');
    expect(session.state).toBe('live');
    clock.advance(2_000);
    await reactions.reconcile();
    expect(session.state).toBe('ended');
  });
});

describe('ticket keys', () => {
  const secret = new Uint8Array(32).fill(1);
  const scope = { listener: 'mqtt', trustSet: 'a' };
  const hex = (overrides: Partial<typeof scope>, now = 0, epoch = 0, other = secret) =>
    deriveTicketKeys(other, { ...scope, ...overrides }, now, epoch).toString('hex');

  it('are the same everywhere for one door, hour and epoch, and differ for any other', () => {
    const all = [
      hex({}),
      hex({ listener: 'https' }),
      hex({ trustSet: 'b' }),
      hex({ listener: 'mqtta', trustSet: '' }),
      hex({}, 3_600_000),
      hex({}, 0, 1),
      hex({}, 0, 0, new Uint8Array(32).fill(2)),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(hex({}, 3_599_999)).toBe(hex({}));
    expect(hex({})).toHaveLength(96);
  });

  it('change at each full hour and when the epoch rises, never back', () => {
    const used: string[] = [];
    const manual = new ManualClock(Date.UTC(2026, 0, 1, 0, 30));
    const keys = new TicketKeys({
      secret,
      scope,
      clock: manual,
      epoch: 1,
      use: (each) => used.push(each.toString('hex')),
    });
    manual.advance(29 * 60_000);
    expect(used).toEqual([]);
    manual.advance(60_000);
    expect(used).toEqual([keys.current().toString('hex')]);
    keys.raiseEpoch(1);
    expect(used).toHaveLength(1);
    keys.raiseEpoch(2);
    keys.raiseEpoch(1);
    expect(used).toEqual([used[0], keys.current().toString('hex')]);
    keys.close();
    manual.advance(7_200_000);
    expect(used).toHaveLength(2);
  });
});

describe('the connect gate', () => {
  const limits = {
    ...ADMISSION_LIMITS,
    connections: 4,
    connectionsPerAddress: 3,
    handshakesInFlight: 2,
    handshakesWaiting: 1,
  };
  let resident = 0;
  const gateOf = (overrides: Partial<typeof limits> = {}) =>
    new ConnectGate({ ...limits, ...overrides }, { clock, residentBytes: () => resident });

  it('bounds connections in all and for each address', () => {
    const gate = gateOf();
    expect(['a', 'a', 'a', 'a', 'b', 'c'].map((address) => gate.enter(address))).toEqual([
      undefined,
      undefined,
      undefined,
      'address',
      undefined,
      'connections',
    ]);
    gate.leave('a');
    expect(gate.enter('a')).toBeUndefined();
    expect(gate.counters).toMatchObject({ open: 4, refused: { address: 1, connections: 1 } });
  });

  it('starts handshakes in turn and turns the rest away', () => {
    const gate = gateOf();
    const started: number[] = [];
    for (let i = 0; i < 3; i++) gate.handshake(() => started.push(i));
    expect([started, gate.counters.waiting, gate.enter('a')]).toEqual([[0, 1], 1, 'waiting']);
    gate.finish();
    expect([started, gate.enter('a')]).toEqual([[0, 1, 2], undefined]);
    gate.finish();
    gate.finish();
    expect(gate.counters).toMatchObject({ inFlight: 0, waiting: 0 });
  });

  it('lets an address connect in a burst, then at its pace', () => {
    const gate = gateOf({ connectBurstPerAddress: 2, connectsPerSecondPerAddress: 1 });
    const connect = () => {
      const refusal = gate.enter('a');
      if (refusal === undefined) gate.leave('a');
      return refusal;
    };
    expect([connect(), connect(), connect()]).toEqual([undefined, undefined, 'rate']);
    clock.advance(1_000);
    expect([connect(), connect()]).toEqual([undefined, 'rate']);
  });

  it('takes nobody in while memory is short', () => {
    const gate = gateOf({ residentBytes: 100 });
    resident = 101;
    clock.advance(500);
    expect(gate.enter('a')).toBe('memory');
    resident = 100;
    clock.advance(500);
    expect(gate.enter('a')).toBeUndefined();
    resident = 0;
  });

  it('remembers no more addresses than it may', () => {
    const rate = new AddressRate(1, 0, 2);
    expect(['a', 'b', 'a', 'c', 'd', 'a'].map((address) => rate.take(address, 0))).toEqual([
      true,
      true,
      false,
      true,
      true,
      true,
    ]);
  });
});

describe('the audit trail', () => {
  const fact = { tenant: 'default', actor: 'device:lamp-1', action: 'publish.refused', subject: 'lamp-1', details: {} };

  it('keeps the first refusals of a source and counts the rest in a later entry', async () => {
    for (let i = 0; i < 20; i++) trail.record('c1', fact);
    trail.record('c2', { ...fact, details: { topic: 'x'.repeat(300) } });
    clock.advance(60_000);
    trail.record('c1', fact);
    await trail.settled();
    expect(audit.facts).toHaveLength(7);
    expect(audit.facts[5]?.details).toEqual({ topic: 'x'.repeat(256), suppressed: 15 });
    expect(audit.facts[6]?.details).toEqual({});
  });

  it('keeps all sources together to a pace', async () => {
    for (let i = 0; i < 1_000; i++) trail.record(`c${i}`, fact);
    await trail.settled();
    expect(audit.facts).toHaveLength(200);
  });
});

describe('server certificate renewal', () => {
  const day = 86_400_000;
  let issued: number;
  let used: ServerCertificate[];
  let broken: boolean;
  const certificate = (): ServerCertificate => ({
    material: { keyPem: `key ${issued}`, chainPem: '' },
    notBefore: clock.now(),
    notAfter: clock.now() + 90 * day,
  });
  const start = () =>
    new ServerCertificateRenewal(
      {
        issue: () => {
          issued++;
          return broken ? Promise.reject(new Error('no key')) : Promise.resolve(certificate());
        },
        use: (next) => used.push(next),
        clock,
        log: silentLog,
      },
      certificate(),
    );
  beforeEach(() => {
    issued = 0;
    used = [];
    broken = false;
  });

  it('happens at two thirds of its life and not before', async () => {
    const renewal = start();
    clock.advance(60 * day - 60_001);
    expect(issued).toBe(0);
    clock.advance(120_000);
    await renewal.renew();
    expect([issued, used]).toEqual([1, [renewal.current]]);
    clock.advance(30 * day);
    expect(issued).toBe(1);
    renewal.close();
  });

  it('is tried again with growing pauses until it works', async () => {
    const renewal = start();
    broken = true;
    clock.advance(60 * day);
    await renewal.renew();
    const first = issued;
    for (let minute = 0; minute < 60; minute++) {
      clock.advance(60_000);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    expect(issued - first).toBeGreaterThanOrEqual(4);
    expect(issued - first).toBeLessThan(10);
    broken = false;
    clock.advance(3_600_000);
    await renewal.renew();
    expect(used).toHaveLength(1);
    renewal.close();
  });

  it('is due at once when the clock is set forward', () => {
    const renewal = start();
    clock.jump(61 * day);
    clock.advance(60_000);
    expect(issued).toBe(1);
    renewal.close();
  });
});

describe('presence', () => {
  it('lists who is connected, per tenant, and tells every change once', () => {
    const board = new PresenceBoard();
    const heard: string[] = [];
    board.onChange(({ kind, presence }) => heard.push(`${kind} ${presence.connectionId}`));
    const presence = {
      tenant: 'default',
      deviceId: 'lamp-1',
      protocol: 'mqtt',
      connectionId: '1',
      remoteAddress: 'a',
      connectedAt: 5,
    } as const;
    board.connected(presence);
    board.connected({ ...presence, connectionId: '2', protocol: 'https' });
    expect(board.of('default', 'lamp-1').map(({ protocol }) => protocol)).toEqual(['mqtt', 'https']);
    expect(board.list('other')).toEqual([]);
    board.disconnected('default', 'lamp-1', '1');
    board.disconnected('default', 'lamp-1', '1');
    board.disconnected('default', 'lamp-1', '2');
    expect(board.list('default')).toEqual([]);
    expect(heard).toEqual(['connected 1', 'connected 2', 'disconnected 1', 'disconnected 2']);
  });
});
