import { type PathInput, type PathVerdict, type PeerName, validatePath } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { decodePem } from '@holdfast/wire/pem';
import { decodeCertificate, decodeCrl, OID } from '@holdfast/wire/x509';

interface LimboName {
  readonly kind: string;
  readonly value: string;
}

/** One case in x509-limbo's schema, as far as a validator reads it. */
export interface LimboCase {
  readonly id: string;
  readonly validation_kind: string;
  readonly trusted_certs: readonly string[];
  readonly untrusted_intermediates: readonly string[];
  readonly peer_certificate: string;
  readonly crls?: readonly string[];
  /** RFC 3339. */
  readonly validation_time: string | null;
  readonly extended_key_usage: readonly string[];
  readonly expected_peer_name: LimboName | null;
  readonly expected_peer_names: readonly LimboName[];
  readonly max_chain_depth: number | null;
}

export interface LimboVerdict {
  readonly id: string;
  readonly verdict: 'accept' | 'reject';
  readonly reason: string;
  readonly ms: number;
}

const PURPOSES: Readonly<Record<string, string>> = {
  anyExtendedKeyUsage: OID.anyExtendedKeyUsage,
  serverAuth: OID.serverAuth,
  clientAuth: OID.clientAuth,
  codeSigning: OID.codeSigning,
  emailProtection: OID.emailProtection,
  timeStamping: OID.timeStamping,
  OCSPSigning: OID.ocspSigning,
};
const PURPOSE_OF_KIND: Readonly<Record<string, string>> = {
  SERVER: OID.serverAuth,
  CLIENT: OID.clientAuth,
  SMIME: OID.emailProtection,
};
const NAME_KINDS: Readonly<Record<string, PeerName['kind']>> = { DNS: 'dns', IP: 'ip', RFC822: 'email', URI: 'uri' };

/**
 * Judges one case. Cases under `webpki::` are judged by the Baseline Requirements too, as the suite means them.
 *
 * @param now - milliseconds since the Unix epoch, for cases that name no time.
 */
export function judgeLimboCase(limbo: LimboCase, now: number): LimboVerdict {
  const start = performance.now();
  const verdict = judge(limbo, now);
  const ms = Math.round((performance.now() - start) * 100) / 100;
  const reason = verdict.kind === 'valid' ? 'valid' : verdict.reason;
  return { id: limbo.id, verdict: verdict.kind === 'valid' ? 'accept' : 'reject', reason, ms };
}

function judge(limbo: LimboCase, now: number): PathVerdict | { readonly kind: 'malformed'; readonly reason: string } {
  try {
    return validatePath(pathInput(limbo, now));
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return { kind: 'malformed', reason: `${error.code} ${String(error.details['field'])}` };
  }
}

function pathInput(limbo: LimboCase, now: number): PathInput {
  const { validation_time, expected_peer_name, expected_peer_names, max_chain_depth, extended_key_usage } = limbo;
  const [usage] = extended_key_usage;
  const purpose = usage === undefined ? PURPOSE_OF_KIND[limbo.validation_kind] : PURPOSES[usage];
  const names = expected_peer_name === null ? expected_peer_names : [expected_peer_name, ...expected_peer_names];
  return {
    leaf: decodeCertificate(decodePem(limbo.peer_certificate, 'CERTIFICATE')),
    intermediates: readable(limbo.untrusted_intermediates),
    anchors: limbo.trusted_certs.map((pem) => decodeCertificate(decodePem(pem, 'CERTIFICATE'))),
    now: validation_time === null ? now : Date.parse(validation_time),
    ...(purpose === undefined ? {} : { purpose }),
    peerNames: names.map(({ kind, value }) => ({ kind: NAME_KINDS[kind] ?? 'dns', text: value })),
    crls: (limbo.crls ?? []).map((pem) => decodeCrl(decodePem(pem, 'X509 CRL'))),
    ...(max_chain_depth === null ? {} : { maxIntermediates: max_chain_depth }),
    webPki: limbo.id.startsWith('webpki::'),
  };
}

/** A stranger's broken certificate among the intermediates hides only itself. */
function readable(pems: readonly string[]): PathInput['intermediates'] {
  return pems.flatMap((pem) => {
    try {
      return [decodeCertificate(decodePem(pem, 'CERTIFICATE'))];
    } catch (error) {
      if (!HoldfastError.is(error)) throw error;
      return [];
    }
  });
}
