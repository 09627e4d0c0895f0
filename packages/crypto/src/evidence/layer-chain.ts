import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { encodeHex, equalBytes, HoldfastError } from '@holdfast/kernel';
import { decodeLayerDescriptor, type LayerDescriptor } from '@holdfast/wire/eat';
import {
  type Certificate,
  decodeCertificate,
  decodeOpenDiceInput,
  decodeTcbInfo,
  type DiceMode,
  OID,
  publicKeyKind,
} from '@holdfast/wire/x509';
import { sha512 } from './dice.ts';

/** One measured layer, from its certificate. */
export interface VerifiedLayer {
  /** Digest of the layer's image, lower-case hex; the value to compare with reference values. */
  readonly digest: string;
  readonly digestAlgorithm: 'sha256' | 'sha384' | 'sha512';
  /** SHA-512 of the key that signed the layer's image, hex. */
  readonly authority: string;
  readonly mode: DiceMode;
  readonly descriptor: LayerDescriptor;
}

export type LayerChainVerdict =
  | { readonly kind: 'verified'; readonly leafKey: KeyObject; readonly layers: readonly VerifiedLayer[] }
  | { readonly kind: 'refused'; readonly reason: 'chain' | 'anchor'; readonly detail: string };

/** Leaf, bootloader, anchor: our boot has just these stages. */
const LENGTH = 3;
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.basicConstraints,
  OID.keyUsage,
  OID.subjectKeyIdentifier,
  OID.authorityKeyIdentifier,
  OID.openDiceInput,
  OID.tcbInfo,
]);
const DIGESTS = { [OID.sha256]: 'sha256', [OID.sha384]: 'sha384', [OID.sha512]: 'sha512' } as const;

/**
 * Checks a chain of DICE layers up to one anchor, leaf first.
 *
 * @param anchorSpki - the only key that may end it
 */
export function verifyLayerChain(chain: readonly Uint8Array[], anchorSpki: Uint8Array): LayerChainVerdict {
  if (chain.length !== LENGTH) return no('chain', 'length');
  try {
    const certificates = chain.map((der) => decodeCertificate(der));
    const [leaf] = certificates;
    const anchor = certificates.at(-1);
    if (leaf === undefined || anchor === undefined) return no('chain', 'length');
    if (!equalBytes(anchor.spki.raw, anchorSpki)) return no('anchor', 'key');
    for (const [index, certificate] of certificates.entries()) {
      const wrong = fault(certificate, certificates[index + 1] ?? anchor, index === 0);
      if (wrong !== undefined) return no('chain', `certificate ${index}: ${wrong}`);
    }
    const layers = certificates.slice(0, -1).map(readLayer);
    return { kind: 'verified', leafKey: readLayerKey(leaf.spki.raw), layers };
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return no('chain', typeof error.details['field'] === 'string' ? error.details['field'] : 'certificate');
  }
}

/** What is wrong with a certificate as the subject of its issuer; undefined when nothing is. */
function fault(subject: Certificate, issuer: Certificate, isLeaf: boolean): string | undefined {
  const { known, extensions, signatureAlgorithm, innerAlgorithm } = subject;
  if (subject.version !== 3) return 'version';
  if (!equalBytes(signatureAlgorithm.raw, innerAlgorithm.raw) || signatureAlgorithm.oid !== OID.ecdsaWithSha256)
    return 'algorithm';
  const kind = publicKeyKind(subject.spki);
  if (kind.kind !== 'ec' || kind.curve !== 'P-256') return 'key';
  if (!equalBytes(subject.issuer.raw, issuer.subject.raw)) return 'issuer';
  // A leaf that could certify would let the application invent a layer above itself.
  if ((known.basicConstraints?.ca === true) === isLeaf) return 'basicConstraints';
  const usage = known.keyUsage ?? new Set();
  if (usage.size !== 1 || !usage.has(isLeaf ? 'digitalSignature' : 'keyCertSign')) return 'keyUsage';
  if (extensions.some(({ oid, critical }) => critical && !UNDERSTOOD.has(oid))) return 'critical extension';
  return verify('sha256', subject.tbs, readLayerKey(issuer.spki.raw), subject.signature) ? undefined : 'signature';
}

/** @throws `wire.malformed` for a point off the curve */
function readLayerKey(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new HoldfastError('wire.malformed', { field: 'key' }, { cause });
  }
}

function readLayer({ extensions }: Certificate): VerifiedLayer {
  const value = (oid: string): Uint8Array => {
    const found = extensions.find((extension) => extension.oid === oid);
    if (found === undefined) throw new HoldfastError('wire.malformed', { field: 'measurement' });
    return found.value;
  };
  const input = decodeOpenDiceInput(value(OID.openDiceInput));
  const { fwids, svn } = decodeTcbInfo(value(OID.tcbInfo));
  const { configurationDescriptor, configurationHash, authorityHash, codeHash, mode } = input;
  const [fwid] = fwids;
  if (
    configurationDescriptor === undefined ||
    authorityHash === undefined ||
    codeHash === undefined ||
    mode === undefined
  ) {
    throw new HoldfastError('wire.malformed', { field: 'openDiceInput' });
  }
  if (configurationHash !== undefined && !equalBytes(configurationHash, sha512(configurationDescriptor))) {
    throw new HoldfastError('wire.malformed', { field: 'configurationHash' });
  }
  const descriptor = decodeLayerDescriptor(configurationDescriptor);
  if (fwid === undefined || fwids.length !== 1 || svn !== descriptor.securityCounter) {
    throw new HoldfastError('wire.malformed', { field: 'tcbInfo' });
  }
  const digestAlgorithm = DIGESTS[fwid.hashAlgorithm as keyof typeof DIGESTS];
  if (digestAlgorithm === undefined) throw new HoldfastError('wire.unsupported', { field: 'fwid' });
  return { digest: encodeHex(fwid.digest), digestAlgorithm, authority: encodeHex(authorityHash), mode, descriptor };
}

function no(reason: 'chain' | 'anchor', detail: string): LayerChainVerdict {
  return { kind: 'refused', reason, detail };
}
