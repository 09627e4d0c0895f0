import type { AdmittedPeer } from '@holdfast/trust/communication';
import type { PeerIdentifier, PeerVerdict } from '@holdfast/trust/identity';
import type { AuditFact, AuditLog, CertificateRecord, Store } from '@holdfast/trust/ports';
import type { Issued } from './test-authority.ts';

const TENANT = 'default';

/** A registry for tests: what was put in is let in, until it is refused. */
export class TestRegistry implements PeerIdentifier {
  readonly #peers = new Map<string, AdmittedPeer>();
  readonly #refused = new Map<string, Extract<PeerVerdict, { kind: 'refused' }>>();
  /** Called after the status was read and before the answer is given. */
  afterRead: () => Promise<void> = () => Promise.resolve();
  reads = 0;

  addDevice(deviceId: string, issued: Issued): void {
    this.#peers.set(issued.fingerprint, {
      kind: 'device',
      principal: { kind: 'device', tenant: TENANT, deviceId, fingerprint: issued.fingerprint },
      certificate: certificateOf(issued, deviceId),
      device: {
        tenant: TENANT,
        deviceId,
        product: 'lamp',
        serialNumber: deviceId,
        hardwareRevision: '1',
        state: 'active',
        stateReason: undefined,
        attributes: {},
        ueid: undefined,
        attestationAnchor: undefined,
        claimId: undefined,
        createdAt: 0,
        enrolledAt: 0,
        revision: 1,
      },
    });
  }

  addClaim(claimId: string, issued: Issued): void {
    this.#peers.set(issued.fingerprint, {
      kind: 'claim',
      principal: { kind: 'claim', tenant: TENANT, claimId, fingerprint: issued.fingerprint },
      certificate: certificateOf(issued, claimId),
      claim: {
        tenant: TENANT,
        claimId,
        product: 'lamp',
        hardwareRevision: '1',
        groups: [],
        fingerprint: issued.fingerprint,
        state: 'active',
        scope: 'quota',
        quota: 10,
        used: 0,
        expiresAt: Number.MAX_SAFE_INTEGER,
        autoRegister: true,
        createdAt: 0,
        createdBy: 'operator:test',
      },
    });
  }

  refuse(issued: Issued, code: Extract<PeerVerdict, { kind: 'refused' }>['code']): void {
    this.#refused.set(issued.fingerprint, { kind: 'refused', code, subjectId: undefined });
  }

  peerOf(issued: Issued): AdmittedPeer {
    const peer = this.#peers.get(issued.fingerprint);
    if (peer === undefined) throw new TypeError('no such peer');
    return peer;
  }

  async identify(fingerprint: string, now: number): Promise<PeerVerdict> {
    this.reads++;
    const refused = this.#refused.get(fingerprint);
    const peer = this.#peers.get(fingerprint);
    await this.afterRead();
    if (refused !== undefined) return refused;
    if (peer === undefined) return { kind: 'refused', code: 'identity.unknown_certificate', subjectId: undefined };
    if (peer.certificate.notAfter < now) {
      return { kind: 'refused', code: 'identity.certificate_expired', subjectId: undefined };
    }
    return peer;
  }
}

/** A store that keeps audit facts in a list. */
export class TestAudit implements AuditLog, Store {
  readonly facts: AuditFact[] = [];

  entry(fact: AuditFact): { readonly kind: 'audit'; readonly fact: AuditFact } {
    return { kind: 'audit', fact };
  }

  commit(writes: readonly { readonly kind: string; readonly fact?: AuditFact }[]): Promise<void> {
    for (const { fact } of writes) if (fact !== undefined) this.facts.push(fact);
    return Promise.resolve();
  }
}

function certificateOf(issued: Issued, subjectId: string): CertificateRecord {
  return {
    tenant: TENANT,
    fingerprint: issued.fingerprint,
    serialNumber: '11',
    profile: 'device',
    state: 'active',
    der: issued.der,
    spkiSha256: '',
    issuer: '',
    subjectId,
    claimId: undefined,
    keyOrigin: 'device',
    door: 'local',
    notBefore: issued.notBefore,
    notAfter: issued.notAfter,
    issuedAt: issued.notBefore,
    firstUsedAt: undefined,
    revokedAt: undefined,
    revocationReason: undefined,
  };
}
