import { constants, createHash } from 'node:crypto';
import type { TlsOptions } from 'node:tls';

/** A key and the certificates a listener shows, leaf first. */
export interface ServerMaterial {
  readonly keyPem: string;
  readonly chainPem: string;
}

/** What an operator may choose of a listener's TLS. */
export interface TlsChoices {
  readonly minimum: 'TLSv1.2' | 'TLSv1.3';
  /** Whether suites with a tag of 8 bytes are offered, to stacks that have no other (RFC 7925 section 4.2). */
  readonly ccm8: boolean;
}

const TLS_CHOICES: TlsChoices = { minimum: 'TLSv1.2', ccm8: false };

export interface TlsSettings {
  readonly listener: string;
  readonly material: ServerMaterial;
  /** CA certificates peers must chain to; undefined asks for no client certificate. */
  readonly clientCas: readonly string[] | undefined;
  /** Application protocols served; a client that offers none is served too. */
  readonly alpn: readonly string[];
  readonly ticketKeys: Buffer;
  readonly handshakeMs: number;
  readonly choices?: Partial<TlsChoices> | undefined;
}

/** AEAD with forward secrecy, and nothing else (AC20); the first 1.2 suite is the one small stacks have. */
const SUITES = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];

/** OpenSSL counts them as 64 bits of strength; the level goes by the list here and by what the authority certifies. */
const CCM8_SUITES = ['TLS_AES_128_CCM_8_SHA256', 'ECDHE-ECDSA-AES128-CCM8', '@SECLEVEL=0'];

/** The hybrid group is for peers that offer it; P-256 is all that small stacks have. */
const GROUPS = 'X25519MLKEM768:X25519:P-256:P-384';

const SESSION_LIFE_S = 3_600;

/** TLS 1.2 and 1.3 as every door of the gateway speaks it. */
export function tlsOptions(settings: TlsSettings): TlsOptions {
  const { alpn, clientCas, material } = settings;
  const { ccm8, minimum } = { ...TLS_CHOICES, ...settings.choices };
  return {
    key: material.keyPem,
    cert: material.chainPem,
    ...(clientCas === undefined
      ? {}
      : { ca: [...clientCas], requestCert: true, rejectUnauthorized: true, allowPartialTrustChain: true }),
    minVersion: minimum,
    maxVersion: 'TLSv1.3',
    ciphers: [...SUITES, ...(ccm8 ? CCM8_SUITES : [])].join(':'),
    honorCipherOrder: true,
    ecdhCurve: GROUPS,
    // Renegotiation would let one connection change its identity, and is cheap for the peer only.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    // A ticket of one listener must not open another (CVE-2025-23419).
    sessionIdContext: sessionIdContext(settings),
    sessionTimeout: SESSION_LIFE_S,
    ticketKeys: settings.ticketKeys,
    handshakeTimeout: settings.handshakeMs,
    // Unlike ALPNProtocols, this answers "no common protocol" itself and leaves clients without ALPN alone.
    ALPNCallback: ({ protocols }) => alpn.find((name) => protocols.includes(name)),
  };
}

/** Names a CA bundle: which doors trust the same issuers. */
export function trustSetOf(clientCas: readonly string[] | undefined): string {
  const hash = createHash('sha256');
  for (const pem of clientCas ?? []) hash.update(`${pem.length}:`).update(pem);
  return hash.digest('hex');
}

/** OpenSSL takes 32 bytes at most. */
function sessionIdContext(settings: TlsSettings): string {
  const name = `${settings.listener}:${trustSetOf(settings.clientCas)}`;
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}
