import type { KeyUsage } from './extension-values.ts';
import { OID } from './oids.ts';

/** What one kind of certificate asserts, whoever holds it. */
export interface ProfileRow {
  readonly ca: boolean;
  readonly pathLen: number | undefined;
  /** Whether basicConstraints is critical: always for a CA (RFC 5280 4.2.1.9). */
  readonly criticalBasicConstraints: boolean;
  readonly keyUsage: readonly KeyUsage[];
  readonly extKeyUsage: readonly string[];
  readonly requiresSubjectAltName: boolean;
  /** id-pkix-ocsp-nocheck: nobody asks a responder whether its own certificate is revoked (RFC 6960 4.2.2.2.1). */
  readonly ocspNoCheck: boolean;
}

const END_ENTITY: ProfileRow = {
  ca: false,
  pathLen: undefined,
  criticalBasicConstraints: true,
  keyUsage: ['digitalSignature'],
  extKeyUsage: [],
  requiresSubjectAltName: false,
  ocspNoCheck: false,
};

const AUTHORITY: ProfileRow = { ...END_ENTITY, ca: true, keyUsage: ['keyCertSign', 'cRLSign'] };

/** Every profile we issue (RFC 5280 4.2, IEEE 802.1AR-2018 8, RFC 6960 4.2.2.2, Open DICE certificate profile). */
export const PROFILES = {
  root: AUTHORITY,
  issuing: { ...AUTHORITY, pathLen: 0 },
  'device-ldevid': { ...END_ENTITY, extKeyUsage: [OID.clientAuth] },
  // 802.1AR leaves the purpose open, since the manufacturer cannot know what the identity will be used for.
  'device-idevid': END_ENTITY,
  claim: { ...END_ENTITY, extKeyUsage: [OID.clientAuth] },
  server: { ...END_ENTITY, extKeyUsage: [OID.serverAuth], requiresSubjectAltName: true },
  operator: { ...END_ENTITY, extKeyUsage: [OID.clientAuth] },
  'ocsp-signer': { ...END_ENTITY, extKeyUsage: [OID.ocspSigning], ocspNoCheck: true },
  // A layer certifies the next one and nothing else.
  'attestation-layer': { ...AUTHORITY, keyUsage: ['keyCertSign'] },
  'attestation-leaf': END_ENTITY,
} as const satisfies Record<string, ProfileRow>;

export type CertificateProfile = keyof typeof PROFILES;
