import type { Presence } from '@holdfast/trust/ports';
import type { FleetListener } from './peer-ports.ts';
import type { Note } from './records.ts';

/** What holds presences: the board of one node, or the one of all. */
export interface Board {
  connected(presence: Presence): void;
  disconnected(tenant: string, deviceId: string, connectionId: string): void;
}

interface Told {
  readonly presence: Presence;
  round: number;
}

/** Who is connected to any node: what this node sees, and what the others say. In memory, since it ends with them. */
export class FleetPresence implements FleetListener {
  readonly #fleet: Board;
  readonly #own = new Map<string, Presence>();
  readonly #told = new Map<string, Map<string, Told>>();
  readonly #rounds = new Map<string, number>();
  #tell: (note: Note) => void = () => undefined;

  constructor(fleet: Board) {
    this.#fleet = fleet;
  }

  /** Tells the others from now on. */
  start(tell: (note: Note) => void): void {
    this.#tell = tell;
  }

  /** A connection of this node. */
  changed(on: boolean, presence: Presence): void {
    if (on) this.#own.set(presence.connectionId, presence);
    else this.#own.delete(presence.connectionId);
    this.#show(on, presence);
    this.#tell({ t: 'presence', on, presence });
  }

  snapshot(): readonly Note[] {
    return [...this.#own.values()].map((presence) => ({ t: 'presence', on: true, presence }));
  }

  heard(nodeId: string, note: Note): void {
    if (note.t === 'presence') this.#set(nodeId, note.on, note.presence);
    if (note.t !== 'snapshot') return;
    if (note.part === 'begin') this.#rounds.set(nodeId, this.#round(nodeId) + 1);
    else this.#dropWhere(nodeId, ({ round }) => round < this.#round(nodeId));
  }

  forget(nodeId: string): void {
    this.#dropWhere(nodeId, () => true);
    this.#told.delete(nodeId);
    this.#rounds.delete(nodeId);
  }

  #set(nodeId: string, on: boolean, presence: Presence): void {
    const told = this.#told.get(nodeId) ?? new Map<string, Told>();
    this.#told.set(nodeId, told);
    const known = told.has(presence.connectionId);
    if (on) told.set(presence.connectionId, { presence, round: this.#round(nodeId) });
    else told.delete(presence.connectionId);
    if (on !== known) this.#show(on, presence);
  }

  #dropWhere(nodeId: string, suits: (told: Told) => boolean): void {
    for (const told of this.#told.get(nodeId)?.values() ?? []) {
      if (suits(told)) this.#set(nodeId, false, told.presence);
    }
  }

  #show(on: boolean, presence: Presence): void {
    if (on) this.#fleet.connected(presence);
    else this.#fleet.disconnected(presence.tenant, presence.deviceId, presence.connectionId);
  }

  #round(nodeId: string): number {
    return this.#rounds.get(nodeId) ?? 0;
  }
}
