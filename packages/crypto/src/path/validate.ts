import { equalBytes } from '@holdfast/kernel';
import {
  type AlgorithmIdentifier,
  type Certificate,
  type CertificateList,
  type GeneralName,
  normalizedName,
} from '@holdfast/wire/x509';
import { signatureAlgorithmOf } from '../keys/algorithms.ts';
import { importAnyPublicKey, type PublicKey } from '../keys/public-key.ts';
import { verifySignature } from '../keys/verify.ts';
import { type CertificatePolicy, type CertificateRefusal, certificateRefusal, type Role } from './certificate-rules.ts';
import { applyConstraints, constrainedNames, type ConstraintVerdict } from './name-constraints.ts';
import { namesPeer, type PeerName } from './peer-name.ts';
import { satisfiesPolicyConstraints } from './policies.ts';
import { revocationStatus } from './revocation.ts';

/** Certificates of a path, anchor included, at most. */
export const MAX_PATH = 8;
/** What one validation may spend, whatever it is given: a hostile bag of certificates costs no more (x509-limbo pathological). */
export const VALIDATION_BUDGET = { steps: 1000, signatures: 48, comparisons: 100_000 } as const;

export interface PathInput {
  readonly leaf: Certificate;
  readonly intermediates: readonly Certificate[];
  /** Trusted as given, but held to the same rules as any authority. */
  readonly anchors: readonly Certificate[];
  /** Milliseconds since the Unix epoch; undefined where dates mean nothing. */
  readonly now: number | undefined;
  /** Key purpose the leaf and every authority that limits itself must be good for. */
  readonly purpose?: string;
  /** All of them must be in the leaf's SAN. */
  readonly peerNames?: readonly PeerName[];
  readonly crls?: readonly CertificateList[];
  /** Authorities between anchor and leaf, at most; never more than the general limit. */
  readonly maxIntermediates?: number;
  /** Adds the rules of the public Web PKI. */
  readonly webPki?: boolean;
  /** Critical extensions the caller reads itself, by OID. */
  readonly understoodExtensions?: readonly string[];
}

export type PathRefusal =
  | CertificateRefusal
  | Exclude<ConstraintVerdict, 'ok'>
  | 'no-path'
  | 'path-length'
  | 'depth'
  | 'signature'
  | 'peer-name'
  | 'policy'
  | 'revoked'
  | 'revocation-undetermined';

export type PathVerdict =
  /** `path` runs from the leaf to the anchor. */
  | { readonly kind: 'valid'; readonly path: readonly Certificate[] }
  | { readonly kind: 'invalid'; readonly reason: PathRefusal };

/** Validates a certification path (RFC 5280 section 6.1), searching the intermediates for one. Never throws. */
export function validatePath(input: PathInput): PathVerdict {
  return new PathSearch(input).run();
}

interface Node {
  readonly certificate: Certificate;
  readonly isAnchor: boolean;
  readonly subject: string;
  readonly spki: string;
  readonly isSelfIssued: boolean;
}

class PathSearch {
  readonly #input: PathInput;
  readonly #policy: CertificatePolicy;
  readonly #authorities = new Map<string, Node[]>();
  readonly #keys = new Map<string, PublicKey | undefined>();
  readonly #signatures = new Map<Certificate, Map<string, boolean>>();
  readonly #budget: { steps: number; signatures: number; comparisons: number } = { ...VALIDATION_BUDGET };
  readonly #maxIntermediates: number;
  #refusal: { reason: PathRefusal; depth: number } = { reason: 'no-path', depth: 0 };

  constructor(input: PathInput) {
    this.#input = input;
    this.#maxIntermediates = Math.min(input.maxIntermediates ?? MAX_PATH - 2, MAX_PATH - 2);
    this.#policy = {
      now: input.now,
      purpose: input.purpose,
      webPki: input.webPki === true,
      understood: new Set(input.understoodExtensions),
    };
    // Anchors first: the shortest way to trust is tried before any other.
    for (const [certificates, isAnchor] of [
      [input.anchors, true],
      [input.intermediates, false],
    ] as const) {
      for (const certificate of certificates) {
        const node = nodeOf(certificate, isAnchor);
        const list = this.#authorities.get(node.subject);
        if (list === undefined) this.#authorities.set(node.subject, [node]);
        else list.push(node);
      }
    }
  }

  run(): PathVerdict {
    const { leaf, peerNames = [] } = this.#input;
    const reason = this.#rules(leaf, 'leaf');
    if (reason !== undefined) return { kind: 'invalid', reason };
    if (!peerNames.every((name) => namesPeer(leaf, name))) return { kind: 'invalid', reason: 'peer-name' };
    const path = this.#extend([nodeOf(leaf, false)]);
    if (path !== undefined) return { kind: 'valid', path: path.map(({ certificate }) => certificate) };
    return { kind: 'invalid', reason: this.#refusal.reason };
  }

  /** Looks for a way from the last certificate of a path to an anchor. */
  #extend(path: readonly Node[]): readonly Node[] | undefined {
    const last = path[path.length - 1];
    if (last === undefined) return undefined;
    for (const issuer of this.#issuersOf(last)) {
      if (this.#budget.steps-- <= 0) return this.#refuse('budget', MAX_PATH);
      // The same name with the same key adds nothing but a loop (RFC 4158 5.2).
      if (path.some(({ subject, spki }) => subject === issuer.subject && spki === issuer.spki)) continue;
      const reason = this.#linkRefusal(path, last, issuer);
      if (reason !== undefined) {
        this.#refuse(reason, path.length);
        continue;
      }
      const longer = [...path, issuer];
      const found = issuer.isAnchor ? this.#complete(longer) : this.#extend(longer);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Candidates by name, those whose key identifier fits first: it is a hint, not proof (RFC 5280 4.2.1.1). */
  #issuersOf({ certificate }: Node): readonly Node[] {
    const candidates = this.#authorities.get(normalizedName(certificate.issuer)) ?? [];
    const wanted = certificate.known.authorityKeyIdentifier?.keyIdentifier;
    if (wanted === undefined || candidates.length < 2) return candidates;
    const misfit = ({ certificate: { known } }: Node) =>
      known.subjectKeyIdentifier === undefined || !equalBytes(known.subjectKeyIdentifier, wanted);
    return [...candidates.filter((node) => !misfit(node)), ...candidates.filter(misfit)];
  }

  #linkRefusal(path: readonly Node[], child: Node, issuer: Node): PathRefusal | undefined {
    const intermediates = path.slice(1);
    if (!issuer.isAnchor && intermediates.length >= this.#maxIntermediates) return 'depth';
    const reason = this.#rules(issuer.certificate, issuer.isAnchor ? 'anchor' : 'intermediate');
    if (reason !== undefined) return reason;
    const below = intermediates.filter(({ isSelfIssued }) => !isSelfIssued).length;
    if (below > (issuer.certificate.known.basicConstraints?.pathLen ?? below)) return 'path-length';
    return this.#signatureRefusal(child.certificate, issuer) ?? this.#anchorRefusal(issuer);
  }

  /** An anchor without an authority key identifier must have signed itself (RFC 5280 4.2.1.1). */
  #anchorRefusal(issuer: Node): PathRefusal | undefined {
    const { certificate, isAnchor } = issuer;
    if (!isAnchor || certificate.known.authorityKeyIdentifier?.keyIdentifier !== undefined || issuer.isSelfIssued) {
      return undefined;
    }
    return this.#signatureRefusal(certificate, issuer) === undefined ? undefined : 'authority-key-identifier';
  }

  /** What can only be judged on a whole path. */
  #complete(path: readonly Node[]): readonly Node[] | undefined {
    const reason = this.#constraintRefusal(path) ?? this.#policyRefusal(path) ?? this.#revocationRefusal(path);
    return reason === undefined ? path : this.#refuse(reason, path.length);
  }

  #constraintRefusal(path: readonly Node[]): PathRefusal | undefined {
    const names = new Map<Node, readonly GeneralName[]>();
    for (const [index, { certificate }] of path.entries()) {
      const constraints = certificate.known.nameConstraints;
      if (constraints === undefined) continue;
      for (const [position, node] of path.slice(0, index).entries()) {
        // Self-issued authorities are exempt so that keys can roll over; a leaf never is.
        if (node.isSelfIssued && position > 0) continue;
        const own = names.get(node) ?? constrainedNames(node.certificate);
        names.set(node, own);
        const verdict = applyConstraints(constraints, own, this.#budget);
        if (verdict !== 'ok') return verdict;
      }
    }
    return undefined;
  }

  #policyRefusal(path: readonly Node[]): PathRefusal | undefined {
    const below = path.slice(0, -1).map(({ certificate }) => certificate);
    return satisfiesPolicyConstraints(below.reverse()) ? undefined : 'policy';
  }

  #revocationRefusal(path: readonly Node[]): PathRefusal | undefined {
    const { crls = [], now } = this.#input;
    if (crls.length === 0 || now === undefined) return undefined;
    for (const [index, issuer] of path.entries()) {
      const child = path[index - 1];
      if (child === undefined) continue;
      const status = revocationStatus(
        { certificate: child.certificate, issuer: issuer.certificate, lists: crls, now },
        (list) => this.#isSignedBy(list, list.signatureAlgorithm, issuer),
      );
      if (status === 'revoked') return 'revoked';
      if (status === 'undetermined') return 'revocation-undetermined';
    }
    return undefined;
  }

  #signatureRefusal(child: Certificate, issuer: Node): PathRefusal | undefined {
    const known = this.#signatures.get(child) ?? new Map<string, boolean>();
    this.#signatures.set(child, known);
    let isValid = known.get(issuer.spki);
    if (isValid === undefined) {
      if (this.#budget.signatures <= 0) return 'budget';
      isValid = this.#isSignedBy(child, child.signatureAlgorithm, issuer);
      known.set(issuer.spki, isValid);
    }
    return isValid ? undefined : 'signature';
  }

  #isSignedBy(
    signed: { readonly tbs: Uint8Array; readonly signature: Uint8Array },
    identifier: AlgorithmIdentifier,
    issuer: Node,
  ): boolean {
    if (this.#budget.signatures-- <= 0) return false;
    const key = this.#keyOf(issuer);
    const algorithm = key === undefined ? undefined : signatureAlgorithmOf(identifier, key.kind);
    if (key === undefined || algorithm === undefined) return false;
    return verifySignature(algorithm, key, signed.tbs, signed.signature);
  }

  #keyOf({ spki, certificate }: Node): PublicKey | undefined {
    if (!this.#keys.has(spki)) {
      try {
        this.#keys.set(spki, importAnyPublicKey(certificate.spki));
      } catch {
        this.#keys.set(spki, undefined);
      }
    }
    return this.#keys.get(spki);
  }

  #rules(certificate: Certificate, role: Role): CertificateRefusal | undefined {
    return certificateRefusal(certificate, role, this.#policy);
  }

  /** Keeps the reason that stopped the longest path, since it is the one a reader can act on. */
  #refuse(reason: PathRefusal, depth: number): undefined {
    if (depth > this.#refusal.depth) this.#refusal = { reason, depth };
    return undefined;
  }
}

function nodeOf(certificate: Certificate, isAnchor: boolean): Node {
  return {
    certificate,
    isAnchor,
    subject: normalizedName(certificate.subject),
    spki: String.fromCharCode(...certificate.spki.raw),
    isSelfIssued: equalBytes(certificate.issuer.raw, certificate.subject.raw),
  };
}
