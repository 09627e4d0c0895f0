import type { ServerOptions } from 'node:http';

/** Bounds of one HTTP connection before and between requests. */
export const HTTP_SETTINGS: ServerOptions = {
  maxHeaderSize: 16_384,
  headersTimeout: 5_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
  // Two readings of one message are how requests are smuggled (AC29).
  insecureHTTPParser: false,
  requireHostHeader: true,
  rejectNonStandardBodyWrites: true,
};

export const MAX_HEADERS = 64;
