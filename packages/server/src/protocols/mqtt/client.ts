import type { MqttVersion } from '@holdfast/wire/mqtt';
import type { AckLine } from './ack-line.ts';
import type { Outbox } from './outbox.ts';
import type { ConnectionInfo, EndCause, MqttPrincipal } from './ports.ts';
import type { Relief } from './relief.ts';
import type { Services } from './services.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';

/** What an admitted client asks of the connection under it. */
export interface ConnectionControl {
  /** False once the connection has ended: what was under way must not speak any more. */
  readonly active: boolean;
  /** Ends the connection, telling MQTT 5 why. */
  fail(reason: number | undefined, cause: EndCause): void;
  /** Ends the connection because the client said goodbye. */
  leave(withWill: boolean): void;
  /** Stops reading until `unblock`, because too much waits for the store. */
  block(): void;
  /** Reads no further until the subscriber has caught up, for a few milliseconds at most. */
  rest(behind: Relief): void;
  unblock(): void;
}

/** An admitted connection, as the packet handlers see it. */
export interface Client extends Link {
  readonly services: Services;
  readonly control: ConnectionControl;
  readonly info: ConnectionInfo;
  readonly version: MqttVersion;
  readonly principal: MqttPrincipal;
  readonly session: Session;
  readonly outbox: Outbox;
  readonly acks: AckLine;
}
