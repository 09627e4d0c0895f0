import type { EpochMs } from '@holdfast/kernel';
import type { NameAttribute } from './name-attributes.ts';

/** Distinguished-name attributes and alternative names by the policy language's words; several values keep their order. */
export type CertificateNames = Readonly<Partial<Record<NameAttribute, readonly string[]>>>;

export interface CertificateFacts {
  /** Lower-case hex. */
  readonly serialNumber: string;
  readonly subject: CertificateNames;
  readonly issuer: CertificateNames;
  readonly notBefore: EpochMs;
}

/** What is known of one connection when its policies are compiled; constant until they are compiled anew. */
export interface PolicyContext {
  /** Undefined where the protocol has none (HTTPS). */
  readonly clientId: string | undefined;
  readonly sourceIp: string;
  /** The registry entry the presented certificate belongs to. */
  readonly thing:
    | {
        readonly name: string;
        readonly typeName: string | undefined;
        readonly attributes: Readonly<Record<string, string>>;
      }
    | undefined;
  readonly certificate: CertificateFacts | undefined;
  /** Word of the posture room: `trusted`, `restricted`, …; undefined for peers without one. */
  readonly posture: string | undefined;
  readonly firmwareVersion: string | undefined;
  readonly securityCounter: number | undefined;
}

/** What a single question adds to the context. */
export interface PolicyRequest {
  readonly now: EpochMs;
  /** `iot:ConnectAttributes`: which optional features a CONNECT uses. */
  readonly connectAttributes?: readonly ('PersistentConnect' | 'LastWill')[];
  /** Topic of the CONNECT's will. */
  readonly lastWillTopic?: string;
}
