import { describe, expect, it } from 'vitest';
import { FleetPresence } from './fleet-presence.ts';
import type { Note } from './records.ts';

const presence = (deviceId: string, connectionId: string) => {
  return { tenant: 'default', deviceId, connectionId, protocol: 'mqtt', remoteAddress: '::1', connectedAt: 1 } as const;
};

function board() {
  const shown = new Set<string>();
  const fleet = new FleetPresence({
    connected: ({ connectionId }) => void shown.add(connectionId),
    disconnected: (_tenant, _deviceId, connectionId) => void shown.delete(connectionId),
  });
  const told: Note[] = [];
  fleet.start((note) => told.push(note));
  return { fleet, shown, told };
}

describe('who is connected to any node', () => {
  it('is what this node sees, which it tells, and what the others say, until they are gone', () => {
    const { fleet, shown, told } = board();
    fleet.changed(true, presence('own', '1'));
    fleet.heard('b', { t: 'presence', on: true, presence: presence('other', '2') });
    expect([...shown]).toEqual(['1', '2']);
    expect(told).toEqual(fleet.snapshot());
    fleet.forget('b');
    expect([...shown]).toEqual(['1']);
    fleet.changed(false, presence('own', '1'));
    expect([[...shown], fleet.snapshot()]).toEqual([[], []]);
  });

  it('is without whom a snapshot does not name', () => {
    const { fleet, shown } = board();
    for (const id of ['1', '2']) fleet.heard('b', { t: 'presence', on: true, presence: presence(id, id) });
    fleet.heard('b', { t: 'snapshot', part: 'begin' });
    fleet.heard('b', { t: 'presence', on: true, presence: presence('2', '2') });
    fleet.heard('b', { t: 'snapshot', part: 'end' });
    expect([...shown]).toEqual(['2']);
  });
});
