import type { Rights } from '@holdfast/trust/communication';
import type { ClaimPrincipal, DevicePrincipal } from '@holdfast/trust/principal';

/** Who may use a route of the device listener; `anyone` is for the enrollment and public listeners only. */
export type RouteAudience = 'device' | 'claim' | 'anyone';

/** One request on a device-facing HTTPS listener, its peer already authenticated and its status just re-read. */
export interface DeviceRequest {
  readonly principal: DevicePrincipal | ClaimPrincipal | undefined;
  /** What the peer may do at this moment; absent where nobody is known. */
  readonly rights?: Rights | undefined;
  readonly method: string;
  /** Path without query, percent-decoded once. */
  readonly path: string;
  /** Named parts of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Lower-case names; repeated headers joined as node:http does. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The whole body, at most the route's limit. */
  readonly body: Uint8Array;
  readonly remoteAddress: string;
  /** Aborted when the peer goes away or the session is cut. */
  readonly signal: AbortSignal;
  /** RFC 5929 tls-unique or RFC 9266 tls-exporter of this connection, for proof-of-possession linking. */
  readonly channelBinding: () =>
    | { readonly kind: 'tls-unique' | 'tls-exporter'; readonly bytes: Uint8Array }
    | undefined;
}

/** A streamed body is pulled chunk by chunk; the listener re-checks the session before each one. */
export interface DeviceResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
}

/**
 * One row of a listener's route table. The table is what the "all doors" tests walk: a verb that is not a row is
 * answered 404 or 405.
 */
export interface DeviceRoute {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Path with named parts: `/.well-known/est/{label}/simpleenroll`; a last part `{topic*}` takes the rest, slashes and all. */
  readonly path: string;
  readonly audience: readonly RouteAudience[];
  /** Body limit in bytes; a longer body is answered 413 without being read. */
  readonly maxBodyBytes: number;
  /** Whether a device that has to update or prove itself keeps it; `served` unless stated. */
  readonly whileRestricted?: 'served' | 'refused';
  /** A coded error thrown here, and a refusal before it, is worded by `wordError`, or as a plain problem when that is absent or has no word for it. */
  readonly handle: (request: DeviceRequest) => Promise<DeviceResponse>;
  readonly wordError?: (error: unknown) => DeviceResponse | undefined;
}
