import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { type Clock, type ErrorCode, toHoldfastError } from '@holdfast/kernel';
import type { AdmittedPeer } from '@holdfast/trust/communication';
import type { Newcomers, PeerIdentifier, PeerVerdict, PresentedChain } from '@holdfast/trust/identity';
import { DEFAULT_TENANT, type Fingerprint } from '@holdfast/trust/ports';
import { actorOf } from '@holdfast/trust/principal';
import type { AuditTrail } from './audit-trail.ts';
import type { Connection, CutReason, Session, SessionTable } from './session-table.ts';

export type Admission =
  | { readonly kind: 'admitted'; readonly peer: AdmittedPeer }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

type Identification =
  | Extract<Admission, { kind: 'admitted' }>
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly actor: string };

const MAX_CHAIN = 8;

export interface PeerAdmissionPorts {
  readonly identifier: PeerIdentifier;
  readonly sessions: SessionTable;
  readonly trail: AuditTrail;
  readonly clock: Clock;
  /** Whom to tell of a certificate the registry does not know, where its chain is at hand. */
  readonly newcomers?: Newcomers;
}

/**
 * Lets connections in: registered first, then judged by the committed status, so that no revocation slips between.
 * The same for full and resumed handshakes: TLS itself checks neither expiry nor status when it resumes.
 */
export class PeerAdmission {
  readonly #ports: PeerAdmissionPorts;

  constructor(ports: PeerAdmissionPorts) {
    this.#ports = ports;
  }

  /** Registers at once; the promise tells whether the peer may go on. It never rejects: a doubt is a refusal. */
  open(connection: Connection): { readonly session: Session; readonly admission: Promise<Admission> } {
    const session = this.#ports.sessions.register(connection);
    return { session, admission: this.#admit(session) };
  }

  /** Judges a live session anew; a session that fails is ended. For every request and every chunk of a download. */
  async recheck(session: Session): Promise<Admission> {
    const { sessions } = this.#ports;
    if (session.state !== 'live') return { kind: 'refused', code: 'communication.session_cut' };
    const verdict = await this.#identify(session);
    if (verdict.kind === 'refused') {
      if (verdict.code !== 'store.unavailable') sessions.end(session, reasonOf(verdict.code));
      return { kind: 'refused', code: verdict.code };
    }
    sessions.update(session, verdict.peer);
    if (!stillLive(session)) return { kind: 'refused', code: 'communication.session_cut' };
    return verdict;
  }

  /** Who the peer of a session would be now, also of one that ended; changes no session. */
  judge(session: Session): Promise<Admission> {
    return this.#identify(session);
  }

  /** The transport is gone. */
  closed(session: Session): void {
    this.#ports.sessions.closed(session);
  }

  async #admit(session: Session): Promise<Admission> {
    const { connection } = session;
    const verdict = await this.#introduce(session, await this.#identify(session));
    if (verdict.kind === 'refused') {
      this.#ports.trail.record(connection.fingerprint, {
        tenant: DEFAULT_TENANT,
        actor: verdict.actor,
        action: 'connect.refused',
        subject: connection.fingerprint,
        details: { code: verdict.code, protocol: connection.protocol, address: connection.remoteAddress },
      });
      return { kind: 'refused', code: verdict.code };
    }
    if (this.#ports.sessions.admit(session, verdict.peer)) return verdict;
    return { kind: 'refused', code: 'communication.session_cut' };
  }

  /** A certificate of a registered authority may be registered by this very connection, and then goes on. */
  async #introduce(session: Session, verdict: Identification): Promise<Identification> {
    const { newcomers } = this.#ports;
    const { id, presented, remoteAddress } = session.connection;
    const isUnknown = verdict.kind === 'refused' && verdict.code === 'identity.unknown_certificate';
    const chain = isUnknown ? presented?.() : undefined;
    if (!isUnknown || newcomers === undefined || chain === undefined) return verdict;
    try {
      await newcomers.meet(chain, { connectionId: id, remoteAddress, door: 'aws-jit' });
    } catch (error) {
      return { ...verdict, code: toHoldfastError(error).code };
    }
    return this.#identify(session);
  }

  async #identify(session: Session): Promise<Identification> {
    const { fingerprint } = session.connection;
    const actor = `certificate:${fingerprint}`;
    try {
      const verdict = await this.#ports.identifier.identify(fingerprint, this.#ports.clock.now());
      if (verdict.kind === 'device' || verdict.kind === 'claim') return { kind: 'admitted', peer: verdict };
      return { kind: 'refused', ...refusal(verdict, actor) };
    } catch (error) {
      return { kind: 'refused', code: toHoldfastError(error).code, actor };
    }
  }
}

/** Its certificate and what it sent besides; undefined when it showed none. Also what TLS found by itself. */
export function presentedChain(socket: TLSSocket): PresentedChain | undefined {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return undefined;
  const chainDer: Uint8Array[] = [];
  for (let each = leaf.issuerCertificate; each !== undefined && chainDer.length < MAX_CHAIN; ) {
    chainDer.push(new Uint8Array(each.raw));
    each = each.issuerCertificate === each ? undefined : each.issuerCertificate;
  }
  return { leafDer: new Uint8Array(leaf.raw), chainDer };
}

/** The one identity of a peer: SHA-256 of the certificate TLS has proven, undefined when it showed none. */
export function peerFingerprint(socket: TLSSocket): Fingerprint | undefined {
  const raw = socket.getPeerX509Certificate()?.raw;
  return raw === undefined ? undefined : createHash('sha256').update(raw).digest('hex');
}

/** Read through a function, because a call in between may have ended the session. */
function stillLive(session: Session): boolean {
  return session.state === 'live';
}

function refusal(
  verdict: Extract<PeerVerdict, { kind: 'operator' | 'refused' }>,
  actor: string,
): { code: ErrorCode; actor: string } {
  if (verdict.kind === 'refused') return { code: verdict.code, actor };
  return { code: 'identity.certificate_purpose', actor: actorOf(verdict.principal) };
}

const REASONS: Readonly<Partial<Record<ErrorCode, CutReason>>> = {
  'identity.certificate_expired': 'certificate-expired',
  'identity.certificate_superseded': 'certificate-superseded',
  'identity.device_suspended': 'device-suspended',
  'identity.device_quarantined': 'device-quarantined',
  'identity.device_revoked': 'device-revoked',
};

function reasonOf(code: ErrorCode): CutReason {
  return REASONS[code] ?? 'certificate-revoked';
}
