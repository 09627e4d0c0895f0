import { equalBytes } from '@holdfast/kernel';
import type { Certificate } from '@holdfast/wire/x509';
import { dnsNameMatches, parseIpAddress } from './host-names.ts';

/** Who is expected at the other end. A `dns` name that is an address is looked for among the addresses. */
export interface PeerName {
  readonly kind: 'dns' | 'ip' | 'email' | 'uri';
  readonly text: string;
}

/** Whether the SAN names the peer; the subject's common name never does (RFC 6125 6.4.4, RFC 9525 2). */
export function namesPeer({ known }: Certificate, { kind, text }: PeerName): boolean {
  const address = kind === 'dns' || kind === 'ip' ? parseIpAddress(text) : undefined;
  return (known.subjectAltName ?? []).some((name) => {
    if (address !== undefined) return name.kind === 'ip' && equalBytes(name.bytes, address);
    if (name.kind !== kind) return false;
    if (name.kind === 'dns') return dnsNameMatches(name.text, text);
    return name.kind === 'email' ? sameMailbox(name.text, text) : name.kind === 'uri' && name.text === text;
  });
}

function sameMailbox(a: string, b: string): boolean {
  const fold = (text: string) => text.slice(0, text.indexOf('@')) + text.slice(text.indexOf('@')).toLowerCase();
  return fold(a) === fold(b);
}
