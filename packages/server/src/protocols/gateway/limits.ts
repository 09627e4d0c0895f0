/** What a peer may take before it has proven who it is. */
export interface AdmissionLimits {
  /** Open connections of one door. */
  readonly connections: number;
  /** Open connections of one address; sites behind one address are common, so this is no more than a backstop. */
  readonly connectionsPerAddress: number;
  /** New connections of one address: how many at once, and how many a second after that. */
  readonly connectBurstPerAddress: number;
  readonly connectsPerSecondPerAddress: number;
  /** Addresses remembered for the rate. */
  readonly rememberedAddresses: number;
  /** Handshakes being computed or waited for; more wait their turn without memory of TLS. */
  readonly handshakesInFlight: number;
  /** Connections that wait for their turn; more are closed. */
  readonly handshakesWaiting: number;
  /** From the connection to the whole ClientHello. */
  readonly clientHelloMs: number;
  /** From the ClientHello to the end of the handshake. */
  readonly handshakeMs: number;
  /** From the handshake to the first byte of a client that named no protocol, where a port serves several. */
  readonly firstByteMs: number;
  /** Resident memory of the process above which no new connection is taken. */
  readonly residentBytes: number;
}

/** MQTT connects of one certificate: a device that fails at once and comes again must not keep others out. */
export const IDENTITY_RATE = { burst: 60, perSecond: 1, remembered: 20_000 } as const;

/** HTTPS connections of one certificate: stock clients open one for each request. */
export const HTTPS_IDENTITY_RATE = { burst: 2_000, perSecond: 20, remembered: 20_000 } as const;

export const ADMISSION_LIMITS: AdmissionLimits = {
  connections: 50_000,
  connectionsPerAddress: 20_000,
  connectBurstPerAddress: 20_000,
  connectsPerSecondPerAddress: 1_000,
  rememberedAddresses: 10_000,
  handshakesInFlight: 1_024,
  handshakesWaiting: 20_000,
  clientHelloMs: 5_000,
  handshakeMs: 10_000,
  firstByteMs: 5_000,
  residentBytes: 3 * 2 ** 30,
};
