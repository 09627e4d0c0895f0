import type { Admission } from './peer-admission.ts';
import type { Session } from './session-table.ts';

/** What the MQTT door knows of a connection; travels through the MQTT core unread, as `PeerInfo.identity`. */
export class MqttPeer {
  readonly session: Session;
  readonly admission: Promise<Admission>;
  readonly remoteAddress: string;

  constructor(session: Session, admission: Promise<Admission>) {
    this.session = session;
    this.admission = admission;
    this.remoteAddress = session.connection.remoteAddress;
  }
}
