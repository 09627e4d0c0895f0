import { describe, expect, it } from 'vitest';
import { PresenceBoard } from './presence.ts';

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
