import { ManualClock, silentLog } from '@holdfast/kernel';
import { AuditTrail } from '../audit-trail.ts';
import { type CutReason, type Session, SessionTable } from '../session-table.ts';
import { TestAuthority } from '../../../testing/test-authority.ts';
import { TestAudit, TestRegistry } from '../../../testing/test-registry.ts';

const ours = new TestAuthority('Root');

export const lamp = ours.issue({ profile: 'device-ldevid', name: 'lamp-1' });
export const claim = ours.issue({ profile: 'claim', name: 'claim-1' });
export const LAMP = { kind: 'device', tenant: 'default', deviceId: 'lamp-1' } as const;

/** A session table over a registry and an audit log in memory, with time moved by hand. */
export class GatewayWorld {
  readonly clock = new ManualClock(lamp.notBefore + 86_400_000);
  readonly registry = new TestRegistry();
  readonly sessions = new SessionTable(this.clock);
  readonly audit = new TestAudit();
  readonly trail = new AuditTrail({ store: this.audit, audit: this.audit, clock: this.clock, log: silentLog });
  /** Connections ended from this side, with the reason. */
  readonly ended: [string, CutReason][] = [];
  #lastId = 0;

  constructor() {
    this.registry.addDevice('lamp-1', lamp);
    this.registry.addClaim('claim-1', claim);
  }

  register(issued = lamp): Session {
    const id = `connection-${++this.#lastId}`;
    return this.sessions.register({
      id,
      protocol: 'mqtt',
      fingerprint: issued.fingerprint,
      remoteAddress: '192.0.2.1',
      end: (reason) => this.ended.push([id, reason]),
    });
  }

  live(issued = lamp): Session {
    const session = this.register(issued);
    if (!this.sessions.admit(session, this.registry.peerOf(issued))) throw new TypeError('not admitted');
    return session;
  }
}
