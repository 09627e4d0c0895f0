import { makeCredential, openAesGcm, sealAesGcm, sha256, timingSafeEqual, tpmName, tpmSpki } from '@holdfast/crypto';
import {
  type Clock,
  concatBytes,
  decodeBase64,
  encodeBase64,
  encodeHex,
  encodeUtf8,
  HoldfastError,
  parseStrictJson,
  type Random,
} from '@holdfast/kernel';
import { JsonFields } from '@holdfast/wire/json';
import {
  encodeTpmPublic,
  type TpmAnswer,
  type TpmChallenge,
  type TpmEnrolled,
  type TpmEnrollmentRequest,
} from '@holdfast/wire/tpm2';
import type {
  AuditLog,
  ClaimRepository,
  DeviceRepository,
  DeviceTpm,
  KeyOwner,
  KeyOwnerRepository,
  Store,
  Tenant,
  TpmRepository,
  Write,
} from '../ports/index.ts';
import type { EnrollmentDoor } from './contracts.ts';
import { type Rate, RateLimit, siteOf } from './rate-limit.ts';
import { RefusalPace } from './refusal-pace.ts';
import { authorityOf, demandTpm, readTpmApplicant, type TpmApplicant } from './tpm-facts.ts';

export interface TpmEnrollmentPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly tpms: TpmRepository;
  readonly claims: Pick<ClaimRepository, 'find'>;
  readonly devices: Pick<DeviceRepository, 'find'>;
  readonly keyOwners: KeyOwnerRepository;
  readonly enrollment: Pick<EnrollmentDoor, 'enrollDirect'>;
  /** 32 bytes, the same on every node: a challenge given by one is answered at another. */
  readonly challengeKey: Uint8Array;
  /** Challenges asked from one address. */
  readonly addressRate?: Rate;
}

export interface TpmContext {
  readonly tenant: Tenant;
  readonly remoteAddress: string;
}

/** By which right a TPM is let in. */
interface TpmRight {
  readonly claimId: string;
  /** Undefined when its maker vouches for it, the claim names it, and it is no device yet. */
  readonly serialNumber: string | undefined;
  readonly trust: DeviceTpm['trust'];
}

interface SealedChallenge extends TpmRight {
  readonly secretSha256: Uint8Array;
  readonly endorsementSha256: string;
  readonly attestationKey: Uint8Array;
  readonly csr: Uint8Array;
  readonly expiresAt: number;
}

const SECRET = 32;
const NONCE = 12;
const CHALLENGE_LIFE_MS = 120_000;
const ADDRESS_RATE: Rate = { burst: 30, perSecond: 1 };

/**
 * Enrollment by a TPM: its endorsement key says which TPM it is, a secret only that TPM opens shows that it is there
 * with its attestation key, and the attestation key shows that the device key is in it. What follows is the
 * enrollment of every door, under the claim that the TPM was listed with.
 */
export class TpmEnrollment {
  readonly #ports: TpmEnrollmentPorts;
  readonly #addresses: RateLimit;
  readonly #pace: RefusalPace;

  constructor(ports: TpmEnrollmentPorts) {
    this.#ports = ports;
    this.#addresses = new RateLimit(ports.addressRate ?? ADDRESS_RATE);
    this.#pace = new RefusalPace(ports.clock);
  }

  /**
   * Judges what the TPM shows and seals a secret to it. Nothing is kept: the challenge itself holds what is needed.
   *
   * @throws `identity.rate_limited`, `wire.*`, the code of the first row of `TPM_RULES` that is broken,
   * `identity.tpm_unknown`
   */
  async challenge(request: TpmEnrollmentRequest, context: TpmContext): Promise<TpmChallenge> {
    const { clock, random, challengeKey } = this.#ports;
    if (this.#addresses.take(siteOf(context.remoteAddress), clock.monotonicMs()) !== 'taken') {
      throw new HoldfastError('identity.rate_limited', { rule: 'address' });
    }
    const applicant = readTpmApplicant(request);
    const { right, endorsementSha256 } = await this.#admit(applicant, context);
    const secret = random.bytes(SECRET);
    const { endorsementKey, attestationKey, csr } = applicant;
    const sealed = sealChallenge(challengeKey, random.bytes(NONCE), context.tenant, {
      ...right,
      secretSha256: sha256(secret),
      endorsementSha256,
      attestationKey: encodeTpmPublic(attestationKey),
      csr,
      expiresAt: clock.now() + CHALLENGE_LIFE_MS,
    });
    const credential = makeCredential(endorsementKey, tpmName(attestationKey), secret, random);
    return { ...credential, challenge: sealed, expiresInSeconds: CHALLENGE_LIFE_MS / 1000 };
  }

  /**
   * Takes what the TPM opened, and enrolls the device. A challenge is answered once, whatever comes of it.
   *
   * @throws `identity.tpm_challenge`, and what `EnrollmentDoor.enrollDirect` throws
   */
  async enroll({ challenge, secret }: TpmAnswer, context: TpmContext): Promise<TpmEnrolled> {
    const { clock, tpms, store, claims, enrollment, challengeKey } = this.#ports;
    const { tenant, remoteAddress } = context;
    const now = clock.now();
    const found = openChallenge(challengeKey, tenant, challenge);
    // A clock that was set back must not lengthen the life of what was given before.
    const isInTime = found !== undefined && found.expiresAt > now && found.expiresAt - now <= CHALLENGE_LIFE_MS;
    if (!isInTime || !timingSafeEqual(sha256(secret), found.secretSha256)) {
      throw new HoldfastError('identity.tpm_challenge');
    }
    await this.#burn(tenant, challenge, found.expiresAt);
    const claim = await claims.find(tenant, found.claimId);
    if (claim === undefined) throw new HoldfastError('identity.unknown_claim');
    const { deviceId, certificateDer } = await enrollment.enrollDirect(
      { kind: 'claim', tenant, claimId: claim.claimId, fingerprint: claim.fingerprint },
      found.csr,
      {
        connectionId: `tpm ${remoteAddress}`,
        remoteAddress,
        door: 'tpm',
        ...(found.serialNumber === undefined ? {} : { endorsed: { serialNumber: found.serialNumber } }),
      },
    );
    await store.commit([tpms.forgetting(now), ...(await this.#bind(deviceId, found, context))]);
    return { deviceId, certificate: certificateDer };
  }

  /** By list first: who was named needs no maker's word. */
  async #admit(
    applicant: TpmApplicant,
    context: TpmContext,
  ): Promise<{ readonly right: TpmRight; readonly endorsementSha256: string }> {
    const { tpms, clock } = this.#ports;
    const { tenant } = context;
    const endorsementSha256 = encodeHex(sha256(tpmSpki(applicant.endorsementKey)));
    try {
      demandTpm(applicant);
      const listed = await tpms.endorsement(tenant, endorsementSha256);
      if (listed !== undefined) {
        const { claimId, serialNumber } = listed;
        return { right: { claimId, serialNumber, trust: 'listed' }, endorsementSha256 };
      }
      const authority = authorityOf(applicant, await tpms.authorities(tenant), clock.now());
      if (authority === undefined) throw new HoldfastError('identity.tpm_unknown');
      const serialNumber = await this.#serialOf(tenant, endorsementSha256);
      return { right: { claimId: authority.claimId, serialNumber, trust: 'certified' }, endorsementSha256 };
    } catch (error) {
      if (HoldfastError.is(error)) await this.#noteRefusal(error, endorsementSha256, context);
      throw error;
    }
  }

  /** A TPM is one device for ever: whoever has one that its maker certified could make a fleet of it otherwise. */
  async #serialOf(tenant: Tenant, endorsementSha256: string): Promise<string | undefined> {
    const { devices, keyOwners } = this.#ports;
    const owner = await keyOwners.find(endorsementSha256);
    if (owner === undefined) return undefined;
    const device = owner.kind === 'attestation' ? await devices.find(tenant, owner.id) : undefined;
    if (owner.tenant !== tenant || device === undefined) throw new HoldfastError('identity.key_reuse');
    return device.serialNumber;
  }

  async #noteRefusal(error: HoldfastError, subject: string, { tenant, remoteAddress }: TpmContext): Promise<void> {
    const pace = this.#pace.take(`${tenant} tpm`);
    if (pace === undefined) return;
    const details = {
      code: error.code,
      rule: String(error.details['rule'] ?? ''),
      door: 'tpm',
      remoteAddress,
      ...pace,
    };
    const { store, audit } = this.#ports;
    await store.commit([audit.entry({ tenant, actor: 'system', action: 'enrollment.refused', subject, details })]);
  }

  async #burn(tenant: Tenant, challenge: Uint8Array, expiresAt: number): Promise<void> {
    const { store, tpms } = this.#ports;
    try {
      await store.commit([tpms.answering(tenant, encodeHex(sha256(challenge)), expiresAt)]);
    } catch (cause) {
      if (!HoldfastError.is(cause, 'store.conflict')) throw cause;
      throw new HoldfastError('identity.tpm_challenge', {}, { cause });
    }
  }

  /** An attestation key speaks for one device for ever, as any key does, and so does what only its maker vouches for. */
  async #bind(deviceId: string, found: SealedChallenge, { tenant }: TpmContext) {
    const { tpms, audit, clock } = this.#ports;
    const { attestationKey, endorsementSha256, trust } = found;
    const owned = { tenant, kind: 'attestation', id: deviceId } as const;
    return [
      ...(await this.#owning({ ...owned, spkiSha256: encodeHex(sha256(attestationKey)) })),
      ...(trust === 'certified' ? await this.#owning({ ...owned, spkiSha256: endorsementSha256 }) : []),
      tpms.binding({ tenant, deviceId, attestationKey, endorsementSha256, trust, enrolledAt: clock.now() }),
      audit.entry({
        tenant,
        actor: 'system',
        action: 'device.tpm_bound',
        subject: deviceId,
        details: { endorsement: endorsementSha256, trust },
      }),
    ];
  }

  async #owning(wanted: KeyOwner): Promise<readonly Write[]> {
    const { keyOwners } = this.#ports;
    const owner = await keyOwners.find(wanted.spkiSha256);
    if (owner === undefined) return [keyOwners.inserting(wanted)];
    if (owner.kind !== wanted.kind || owner.id !== wanted.id || owner.tenant !== wanted.tenant) {
      throw new HoldfastError('identity.key_reuse', { field: 'attestationKey' });
    }
    return [];
  }
}

function sealChallenge(key: Uint8Array, nonce: Uint8Array, tenant: Tenant, content: SealedChallenge): Uint8Array {
  const { secretSha256, attestationKey, csr, serialNumber, ...rest } = content;
  const text = JSON.stringify({
    ...rest,
    ...(serialNumber === undefined ? {} : { serialNumber }),
    secretSha256: encodeBase64(secretSha256),
    attestationKey: encodeBase64(attestationKey),
    csr: encodeBase64(csr),
  });
  return concatBytes(nonce, sealAesGcm({ key, nonce, aad: contextOf(tenant) }, encodeUtf8(text)));
}

function openChallenge(key: Uint8Array, tenant: Tenant, sealed: Uint8Array): SealedChallenge | undefined {
  if (sealed.length < NONCE) return undefined;
  try {
    const nonce = sealed.subarray(0, NONCE);
    const text = openAesGcm({ key, nonce, aad: contextOf(tenant) }, sealed.subarray(NONCE));
    const fields = new JsonFields(parseStrictJson(text), 'challenge');
    const bytes = (name: string): Uint8Array => decodeBase64(fields.text(name, { max: 8192 }), name);
    return {
      claimId: fields.text('claimId'),
      serialNumber: fields.optional('serialNumber', (each, name) => each.text(name)),
      trust: fields.oneOf('trust', ['listed', 'certified']),
      secretSha256: bytes('secretSha256'),
      endorsementSha256: fields.text('endorsementSha256'),
      attestationKey: bytes('attestationKey'),
      csr: bytes('csr'),
      expiresAt: fields.integer('expiresAt'),
    };
  } catch (error) {
    if (HoldfastError.is(error)) return undefined;
    throw error;
  }
}

function contextOf(tenant: Tenant): Uint8Array {
  return encodeUtf8(`holdfast/tpm-challenge/v1\n${tenant}`);
}
