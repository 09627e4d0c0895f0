/** Every bound of the core. Sizes in bytes, counts per session or connection unless said otherwise. */
export interface MqttLimits {
  /** From accepting a connection to a whole CONNECT. */
  readonly connectDeadlineMs: number;
  /** From CONNECT to the authenticator's answer. */
  readonly admitDeadlineMs: number;
  /** How long a connection may linger after the server ended it. */
  readonly lingerMs: number;
  readonly maxConnections: number;
  /** CONNECT packet: all a stranger can make the server hold. */
  readonly maxConnectBytes: number;
  /** What may arrive while the authenticator decides. */
  readonly maxEarlyBytes: number;
  readonly maxPacketBytes: number;
  /** QoS 1 and 2 messages a client may leave unfinished (MQTT 5 receive maximum). */
  readonly receiveMaximum: number;
  /** QoS 2 messages an MQTT 3.1.1 client, which knows no receive maximum, may leave unreleased. */
  readonly maxUnreleased: number;
  /** Of both versions. */
  readonly maxUnreleasedBytes: number;
  /** Acknowledgements that wait for the store before an MQTT 3.1.1 client is read no further. */
  readonly maxPendingAcks: number;
  /** QoS 1 and 2 messages in flight to a client, whatever it asks for. */
  readonly maxInflight: number;
  readonly topicAliasMaximum: number;
  /** Topic aliases the server assigns, whatever the client allows. */
  readonly maxOutboundAliases: number;
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
  /** 0xFFFFFFFF: sessions may live for ever. */
  readonly maxSessionExpirySeconds: number;
  /** Sessions that are not connected, all realms. */
  readonly maxOfflineSessions: number;
  /** All realms. */
  readonly maxRetainedMessages: number;
  readonly maxRetainedBytes: number;
  /** Of one session: no device takes the room of a fleet. The server's own are not counted. */
  readonly maxRetainedPerSession: number;
  readonly maxRetainedBytesPerSession: number;
  /**
   * Unsent bytes over which a slow client gets no QoS 0 message and no new QoS 1 or 2 message. From a quarter of it on
   * publishers rest until the client has caught up: a fast one loses nothing in a burst.
   */
  readonly slowBytes: number;
  /**
   * The longest rest of a publisher. After a rest that did not help it is read for as long whatever happens, so that
   * no subscriber delays the control traffic of others beyond this. 0: never.
   */
  readonly restMs: number;
  /** Unsent bytes over which a client is disconnected: it asks without reading the answers. */
  readonly maxBufferedBytes: number;
  /** Topics whose subscribers are remembered, per realm. */
  readonly matchCacheEntries: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_LIMITS: MqttLimits = {
  connectDeadlineMs: 5_000,
  admitDeadlineMs: 10_000,
  lingerMs: 2_000,
  maxConnections: 100_000,
  maxConnectBytes: 160 * KIB,
  maxEarlyBytes: 64 * KIB,
  maxPacketBytes: MIB,
  receiveMaximum: 1_000,
  maxUnreleased: 1_000,
  maxUnreleasedBytes: 8 * MIB,
  maxPendingAcks: 1_000,
  maxInflight: 1_000,
  topicAliasMaximum: 10,
  maxOutboundAliases: 32,
  maxQueuedMessages: 10_000,
  maxQueuedBytes: 8 * MIB,
  maxSessionExpirySeconds: 7 * 24 * 3600,
  maxOfflineSessions: 1_000_000,
  maxRetainedMessages: 100_000,
  maxRetainedBytes: 256 * MIB,
  maxRetainedPerSession: 1_000,
  maxRetainedBytesPerSession: 8 * MIB,
  slowBytes: MIB,
  restMs: 50,
  maxBufferedBytes: 8 * MIB,
  matchCacheEntries: 20_000,
};
