import type { Clock, Timer } from '@holdfast/kernel';
import { AddressRate } from './address-rate.ts';
import type { AdmissionLimits } from './limits.ts';

/** Why a connection was closed before its handshake. */
export type GateRefusal = 'connections' | 'address' | 'rate' | 'waiting' | 'memory';

export interface GatePorts {
  readonly clock: Clock;
  readonly residentBytes: () => number;
}

export interface GateCounters {
  readonly open: number;
  readonly inFlight: number;
  readonly waiting: number;
  readonly refused: Readonly<Partial<Record<GateRefusal, number>>>;
}

const MEMORY_SAMPLE_MS = 500;

/** Counts connections and lets handshakes start in turn, so that a flood costs sockets and not memory of TLS. */
export class ConnectGate {
  readonly #limits: AdmissionLimits;
  readonly #ports: GatePorts;
  readonly #rate: AddressRate;
  readonly #openPerAddress = new Map<string, number>();
  readonly #refused: Partial<Record<GateRefusal, number>> = {};
  readonly #waiting: (() => void)[] = [];
  readonly #sample: Timer;
  #open = 0;
  #inFlight = 0;
  #resident = 0;

  constructor(limits: AdmissionLimits, ports: GatePorts) {
    this.#limits = limits;
    this.#ports = ports;
    const { connectBurstPerAddress, connectsPerSecondPerAddress, rememberedAddresses } = limits;
    this.#rate = new AddressRate(connectBurstPerAddress, connectsPerSecondPerAddress, rememberedAddresses);
    this.#sample = ports.clock.every(MEMORY_SAMPLE_MS, () => {
      this.#resident = ports.residentBytes();
    });
  }

  get counters(): GateCounters {
    return {
      open: this.#open,
      inFlight: this.#inFlight,
      waiting: this.#waiting.length,
      refused: { ...this.#refused },
    };
  }

  /** Takes a connection in, or says why not. What was taken in must be given back with `leave`. */
  enter(address: string): GateRefusal | undefined {
    const refusal = this.#judge(address);
    if (refusal !== undefined) {
      this.#refused[refusal] = (this.#refused[refusal] ?? 0) + 1;
      return refusal;
    }
    this.#open++;
    this.#openPerAddress.set(address, (this.#openPerAddress.get(address) ?? 0) + 1);
    return undefined;
  }

  leave(address: string): void {
    this.#open--;
    const left = (this.#openPerAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#openPerAddress.delete(address);
    else this.#openPerAddress.set(address, left);
  }

  /** Runs `start` when a handshake may begin; each run must be ended with `finish`. */
  handshake(start: () => void): void {
    if (this.#inFlight >= this.#limits.handshakesInFlight) {
      this.#waiting.push(start);
      return;
    }
    this.#inFlight++;
    start();
  }

  finish(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inFlight--;
    else next();
  }

  close(): void {
    this.#sample.cancel();
    this.#waiting.length = 0;
  }

  #judge(address: string): GateRefusal | undefined {
    const { connections, connectionsPerAddress, handshakesWaiting, residentBytes } = this.#limits;
    if (this.#open >= connections) return 'connections';
    if (this.#resident > residentBytes) return 'memory';
    if (this.#waiting.length >= handshakesWaiting) return 'waiting';
    if ((this.#openPerAddress.get(address) ?? 0) >= connectionsPerAddress) return 'address';
    return this.#rate.take(address, this.#ports.clock.monotonicMs()) ? undefined : 'rate';
  }
}
