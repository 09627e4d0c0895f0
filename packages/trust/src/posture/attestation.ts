import { type EvidenceRefusal, type MeasuredEvidence, sha256, verifyEvidence } from '@holdfast/crypto';
import { type Clock, decodeHex, encodeHex, type ErrorCode, ERRORS, HoldfastError, type Random } from '@holdfast/kernel';
import { decodeSign1 } from '@holdfast/wire/cose';
import { decodeEvidenceClaims } from '@holdfast/wire/eat';
import { isQuoteEvidence, MAX_QUOTE_EVIDENCE } from '@holdfast/wire/tpm2';
import type { ReferenceValues } from '../boot/index.ts';
import { onFreshRead, RefusalPace, type Registry } from '../identity/index.ts';
import type {
  AcceptedEvidence,
  AttestationNonce,
  AttestationNonceRepository,
  AuditLog,
  DeviceRecord,
  DeviceRepository,
  Outbox,
  PostureRecord,
  PostureRepository,
  ProductRepository,
  Store,
  TpmRepository,
  Write,
} from '../ports/index.ts';
import { actorOf, type DevicePrincipal } from '../principal.ts';
import type { AttestationDoor, AttestationResult, Challenge } from './contracts.ts';
import { POSTURE_MACHINE, standingPosture } from './machine.ts';
import { acceptanceWrites, type Subject } from './evidence-writes.ts';
import { judgePosture } from './rules.ts';
import { examineQuote, judgeQuote, nonceOfQuote, type Quoted } from './tpm-quotes.ts';

export interface AttestationPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly devices: Pick<DeviceRepository, 'find'>;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly registry: Pick<Registry, 'quarantining'>;
  readonly postures: PostureRepository;
  readonly nonces: AttestationNonceRepository;
  readonly referenceValues: Pick<ReferenceValues, 'find' | 'highestCounter'>;
  readonly tpms: Pick<TpmRepository, 'ofDevice' | 'starts' | 'references' | 'counting'>;
}

const NONCE_BYTES = 32;
const NONCE_LIFE_MS = 300_000;
/** Open challenges of one device; asking again forgets the oldest, so that nobody fills the store. */
const OPEN_NONCES = 4;
const MAX_TOKEN = 16 * 1024;

const REFUSALS: Readonly<Record<EvidenceRefusal, ErrorCode>> = {
  malformed: 'posture.evidence_malformed',
  algorithm: 'posture.evidence_malformed',
  profile: 'posture.evidence_malformed',
  chain: 'posture.evidence_forged',
  anchor: 'posture.evidence_forged',
  signature: 'posture.evidence_forged',
  contradiction: 'posture.evidence_forged',
  nonce: 'posture.nonce_unknown',
  ueid: 'posture.wrong_device',
  mode: 'posture.debug_open',
};

type Finding =
  | { readonly kind: 'measured'; readonly evidence: MeasuredEvidence }
  | Quoted
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly detail: string };

/** The verifier of RFC 9334: takes evidence and says what a device is worth. */
export class Attestation implements AttestationDoor {
  readonly #ports: AttestationPorts;
  readonly #pace: RefusalPace;

  constructor(ports: AttestationPorts) {
    this.#ports = ports;
    this.#pace = new RefusalPace(ports.clock);
  }

  /** A nonce that this device may answer once, within five minutes. */
  async challenge(principal: DevicePrincipal): Promise<Challenge> {
    const { nonces, store, random, clock } = this.#ports;
    const { tenant, deviceId } = principal;
    await this.#subject(principal);
    const nonce = random.bytes(NONCE_BYTES);
    const now = clock.now();
    const open = await nonces.ofDevice(tenant, deviceId);
    const fresh = open.filter(({ expiresAt }) => expiresAt > now);
    const kept = new Set(fresh.slice(-(OPEN_NONCES - 1)));
    const expiresAt = now + NONCE_LIFE_MS;
    await store.commit([
      ...open.filter((each) => !kept.has(each)).map(({ nonceSha256 }) => nonces.dropping(nonceSha256)),
      nonces.inserting({ nonceSha256: hashOf(nonce), tenant, deviceId, expiresAt }),
    ]);
    return { nonce, expiresAt };
  }

  appraise(principal: DevicePrincipal, token: Uint8Array): Promise<AttestationResult> {
    return onFreshRead(async () => {
      const subject = await this.#subject(principal);
      const record = await this.#ports.postures.find(principal.tenant, principal.deviceId);
      const nonce = claimedNonce(token);
      const challenge = nonce && (await this.#ports.nonces.find(hashOf(nonce)));
      const own = challenge && isOf(challenge, principal) ? challenge : undefined;
      const finding = await this.#examine(subject.device, token, { nonce, challenge: own });
      const consumed = own ? [this.#ports.nonces.consuming(own.nonceSha256)] : [];
      if (finding.kind === 'refused') return this.#refuse(subject, { finding, record, consumed });
      if (finding.kind === 'quoted') return this.#acceptQuote(subject, { quoted: finding, record, consumed });
      return this.#accept(subject, { evidence: finding.evidence, record, consumed });
    });
  }

  async #examine(
    device: DeviceRecord,
    token: Uint8Array,
    given: { readonly nonce: Uint8Array | undefined; readonly challenge: AttestationNonce | undefined },
  ): Promise<Finding> {
    const { nonce, challenge } = given;
    if (nonce === undefined) return refused('posture.evidence_malformed', 'token');
    if (challenge === undefined) return refused('posture.nonce_unknown', 'nonce');
    const left = challenge.expiresAt - this.#ports.clock.now();
    // A clock that was set back must not lengthen the life of what was given before.
    if (left <= 0 || left > NONCE_LIFE_MS) return refused('posture.nonce_expired', 'nonce');
    if (isQuoteEvidence(token)) {
      const tpm = await this.#ports.tpms.ofDevice(device.tenant, device.deviceId);
      if (tpm === undefined) return refused('posture.no_anchor', 'tpm');
      return examineQuote(token, { attestationKey: tpm.attestationKey, nonce });
    }
    const { attestationAnchor: anchorSpki, ueid } = device;
    if (anchorSpki === undefined || ueid === undefined) return refused('posture.no_anchor', 'anchor');
    const verdict = verifyEvidence(token, { anchorSpki, nonce, ueid: decodeHex(ueid) });
    if (verdict.kind === 'refused') return refused(REFUSALS[verdict.reason], verdict.detail);
    return { kind: 'measured', evidence: verdict };
  }

  async #refuse(
    subject: Subject,
    given: {
      readonly finding: Extract<Finding, { kind: 'refused' }>;
      readonly record: PostureRecord | undefined;
      readonly consumed: readonly Write[];
    },
  ): Promise<AttestationResult> {
    const { deviceId } = subject.device;
    const { code } = given.finding;
    await this.#ports.store.commit([...given.consumed, ...this.#refusal(subject, given.finding)]);
    const posture = standingPosture(given.record?.posture ?? POSTURE_MACHINE.initial, subject.device);
    return { kind: 'refused', deviceId, code, posture, reasons: [{ code, words: ERRORS[code].message }] };
  }

  #refusal({ principal, device }: Subject, { code, detail }: Extract<Finding, { kind: 'refused' }>): readonly Write[] {
    const { audit, outbox } = this.#ports;
    const { tenant, deviceId } = device;
    const pace = this.#pace.take(`${tenant} ${deviceId}`);
    if (pace === undefined) return [];
    return [
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'evidence.refused',
        subject: deviceId,
        details: { code, detail, ...pace },
      }),
      outbox.event({ tenant, name: 'evidence.refused', subject: deviceId, data: { code } }),
    ];
  }

  async #accept(
    subject: Subject,
    given: {
      readonly evidence: MeasuredEvidence;
      readonly record: PostureRecord | undefined;
      readonly consumed: readonly Write[];
    },
  ): Promise<AttestationResult> {
    const { referenceValues, store, clock } = this.#ports;
    const { product, device, principal } = subject;
    const { firmware, bootState, securityCounter: counter } = given.evidence;
    const reference = await referenceValues.find(device.tenant, product.name, firmware.digest);
    const judgement = judgePosture({
      product,
      device,
      measured: { digest: firmware.digest, counter },
      bootState,
      reference,
      highestCounter: await referenceValues.highestCounter(device.tenant, product.name),
    });
    const evidence: AcceptedEvidence = {
      digest: firmware.digest,
      version: reference?.version ?? firmware.descriptor.version,
      counter,
      bootState,
      releaseId: reference?.releaseId,
      at: clock.now(),
    };
    await store.commit([
      ...given.consumed,
      ...acceptanceWrites(this.#ports, subject, { judgement, evidence, record: given.record }),
    ]);
    return {
      kind: 'accepted',
      deviceId: principal.deviceId,
      posture: judgement.posture,
      reasons: judgement.reasons,
      evidence,
      proceed: bootState === 'test' && judgement.mayConfirm ? 'confirm' : 'none',
    };
  }

  async #acceptQuote(
    subject: Subject,
    given: {
      readonly quoted: Quoted;
      readonly record: PostureRecord | undefined;
      readonly consumed: readonly Write[];
    },
  ): Promise<AttestationResult> {
    const { tpms, store, clock } = this.#ports;
    const { product, device } = subject;
    const { tenant, deviceId } = device;
    const { quoted, record } = given;
    const judged = judgeQuote({
      product,
      device,
      quoted,
      references: await tpms.references(tenant, product.name),
      before: await tpms.starts(tenant, deviceId),
    });
    const { judgement, restarted } = judged;
    const evidence: AcceptedEvidence = { ...judged.evidence, at: clock.now() };
    const { resetCount, restartCount } = quoted.clockInfo;
    const more = { resetCount, restartCount, restarted, eventLog: quoted.eventLog !== undefined };
    await store.commit([
      ...given.consumed,
      tpms.counting(tenant, deviceId, judged.starts),
      ...acceptanceWrites(this.#ports, subject, { judgement, evidence, record, more }),
    ]);
    const { posture, reasons } = judgement;
    return { kind: 'accepted', deviceId, posture, reasons, evidence, proceed: 'none' };
  }

  /** @throws `identity.unknown_device`, `identity.device_quarantined`, `identity.unknown_product` */
  async #subject(principal: DevicePrincipal): Promise<Subject> {
    const { devices, products } = this.#ports;
    const device = await devices.find(principal.tenant, principal.deviceId);
    if (!device) throw new HoldfastError('identity.unknown_device');
    if (device.state === 'quarantined') throw new HoldfastError('identity.device_quarantined');
    const product = await products.find(principal.tenant, device.product);
    if (!product) throw new HoldfastError('identity.unknown_product', { product: device.product });
    return { principal, device, product };
  }
}

/** The nonce a token says it answers, read before anything is believed, to find the challenge it names. */
function claimedNonce(token: Uint8Array): Uint8Array | undefined {
  if (isQuoteEvidence(token)) return token.length > MAX_QUOTE_EVIDENCE ? undefined : nonceOfQuote(token);
  if (token.length > MAX_TOKEN) return undefined;
  try {
    return decodeEvidenceClaims(decodeSign1(token).payload).nonce;
  } catch (error) {
    if (HoldfastError.is(error)) return undefined;
    throw error;
  }
}

function isOf(challenge: AttestationNonce, { tenant, deviceId }: DevicePrincipal): boolean {
  return challenge.tenant === tenant && challenge.deviceId === deviceId;
}

function refused(code: ErrorCode, detail: string): Finding {
  return { kind: 'refused', code, detail };
}

function hashOf(nonce: Uint8Array): string {
  return encodeHex(sha256(nonce));
}
