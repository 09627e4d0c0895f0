import type { Authority, AuthorityCertificate } from '@holdfast/api';
import { fingerprint, sha256 } from '@holdfast/crypto';
import { encodeHex, formatRfc3339 } from '@holdfast/kernel';
import { type CertificateAuthority, readChain } from '@holdfast/trust/identity';
import { encodePem } from '@holdfast/wire/pem';
import { decodeCertificate, decodeCertificationRequest, nameText } from '@holdfast/wire/x509';
import type { ManagementHandlers } from '../handler-types.ts';

export interface AuthorityHandlerPorts {
  readonly authority: CertificateAuthority;
}

type AuthorityOperation = 'authority.show' | 'authority.request' | 'authority.install' | 'authority.destroy-root-key';

export function authorityHandlers({ authority }: AuthorityHandlerPorts): Pick<ManagementHandlers, AuthorityOperation> {
  return {
    'authority.show': async () => viewAuthority(authority),
    'authority.request': async () => {
      const { csrDer, formerRootDer } = await authority.request();
      return {
        pem: encodePem('CERTIFICATE REQUEST', csrDer) + encodePem('CERTIFICATE', formerRootDer),
        keyFingerprint: encodeHex(sha256(decodeCertificationRequest(csrDer).spki.raw)),
        rootFingerprint: authority.rootFingerprint,
      };
    },
    'authority.install': async ({ body }, { principal }) => {
      await authority.install(principal, readChain(body.pem), body.rootFingerprint);
      return viewAuthority(authority);
    },
    'authority.destroy-root-key': async ({ body }, { principal }) => {
      await authority.destroyRootKey(principal, body.rootFingerprint);
      return viewAuthority(authority);
    },
  };
}

function viewAuthority(authority: CertificateAuthority): Authority {
  const [root = new Uint8Array(), ...formerRoots] = authority.anchorsDer;
  const [issuing = new Uint8Array()] = authority.presentedDer;
  const view = (role: AuthorityCertificate['role']) => (der: Uint8Array) => viewCertificate(role, der);
  return {
    rootFingerprint: authority.rootFingerprint,
    rootKeyOnline: authority.rootIsOnline,
    certificates: [
      view('root')(root),
      ...formerRoots.map(view('former-root')),
      view('issuing')(issuing),
      ...authority.crossesDer.map(view('cross')),
    ],
  };
}

function viewCertificate(role: AuthorityCertificate['role'], der: Uint8Array): AuthorityCertificate {
  const { issuer, subject, validity } = decodeCertificate(der);
  return {
    role,
    fingerprint: fingerprint(der),
    subject: nameText(subject),
    issuer: nameText(issuer),
    notAfter: formatRfc3339(validity.notAfter),
  };
}
