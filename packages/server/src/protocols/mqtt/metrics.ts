/** Counters of the core since start, and gauges; read them, never reset them. */
export interface MqttMetrics {
  connectionsAccepted: number;
  connectionsRefused: number;
  connectionsEnded: number;
  takeOvers: number;
  connectionsCut: number;
  protocolErrors: number;
  keepAliveTimeouts: number;
  publishesReceived: number;
  publishesDenied: number;
  messagesSent: number;
  /** QoS 0 messages a slow or restricted client did not get. */
  messagesDropped: number;
  /** QoS 1 and 2 messages that found a full queue. */
  queueOverflows: number;
  messagesExpired: number;
  deliveriesDenied: number;
  subscriptionsDenied: number;
  retainedRefused: number;
  slowConsumersClosed: number;
  willsPublished: number;
  willsDenied: number;
  storeFailures: number;
}

export function createMetrics(): MqttMetrics {
  return {
    connectionsAccepted: 0,
    connectionsRefused: 0,
    connectionsEnded: 0,
    takeOvers: 0,
    connectionsCut: 0,
    protocolErrors: 0,
    keepAliveTimeouts: 0,
    publishesReceived: 0,
    publishesDenied: 0,
    messagesSent: 0,
    messagesDropped: 0,
    queueOverflows: 0,
    messagesExpired: 0,
    deliveriesDenied: 0,
    subscriptionsDenied: 0,
    retainedRefused: 0,
    slowConsumersClosed: 0,
    willsPublished: 0,
    willsDenied: 0,
    storeFailures: 0,
  };
}
