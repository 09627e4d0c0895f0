/** Something heard on a subject. The bytes are the listener's to keep. */
export type BusListener = (bytes: Uint8Array) => void;

export type BusResponder = (bytes: Uint8Array) => Promise<Uint8Array>;

export interface BusState {
  readonly up: boolean;
  /** What was given to `publish` and not sent: while it was down, or when too much waited. */
  readonly dropped: number;
}

/**
 * Carries bytes between the nodes of a cluster, at most once: what matters is in the store, and is read again from
 * there by whoever missed it here.
 */
export interface Bus {
  readonly state: BusState;
  /** Largest message in octets. */
  readonly maxBytes: number;
  /** In order for each subject. Dropped while the bus is down or too much waits to be sent. */
  publish(subject: string, bytes: Uint8Array): void;
  subscribe(subject: string, listener: BusListener): void;
  /** Answers requests on a subject; one that is rejected stays unanswered. */
  respond(subject: string, responder: BusResponder): void;
  /** @returns undefined when nobody answers in time, or nobody is there */
  request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array | undefined>;
  /** Called when the bus goes down and when it is up again: what was said meanwhile was missed. */
  onChange(listener: (up: boolean) => void): void;
  close(): Promise<void>;
}
