import type { Clock, Log } from '@holdfast/kernel';
import type { Bus } from '../engines/bus/index.ts';
import type { ConnectionInfo, Turn } from '../protocols/mqtt/index.ts';
import type { NodeIds } from './node-ids.ts';
import type { SharedSessions } from './ports.ts';
import type { Note, TakeoverNote, TakeoverPlace } from './records.ts';
import type { SealedFrames } from './sealed-frames.ts';

/** What is told of connections beside messages. */
export interface FleetListener {
  /** What this node has to tell one that knows nothing of it. */
  snapshot(): readonly Note[];
  heard(nodeId: string, note: Note): void;
  forget(nodeId: string): void;
}

export interface ClusterPeersPorts {
  readonly nodeId: string;
  /** For operators. */
  readonly name: string;
  /** First tokens of every subject: of this cluster alone. */
  readonly prefix: string;
  readonly bus: Bus;
  readonly frames: SealedFrames;
  readonly ids: NodeIds;
  readonly sessions: SharedSessions;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Log;
  readonly fleet: FleetListener;
  /** A session of another node was taken over by a connection of this one. */
  readonly onTakenOver: (previous: TakeoverPlace, next: ConnectionInfo) => void;
  /** One was taken over at another node. */
  readonly onTakeover: (takeover: TakeoverNote) => void;
}
