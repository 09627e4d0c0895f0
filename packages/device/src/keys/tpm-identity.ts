import { equalBytes, HoldfastError, type Random } from '@holdfast/kernel';
import { type QuoteEvidence, tpmSpki } from '@holdfast/crypto';
import {
  EK_CERTIFICATES,
  encodeTpmSignature,
  type PcrSelection,
  TPM_HANDLE,
  tpmCalls,
  type TpmCredential,
  type TpmPublic,
} from '@holdfast/wire/tpm2';
import { decodeCertificate } from '@holdfast/wire/x509';
import type { DeviceKey } from './key-store.ts';
import type { Tpm } from './tpm.ts';
import type { TpmKeyStore } from './tpm-key-store.ts';
import { ATTESTATION_KEY, ENDORSEMENT_KEYS } from './tpm-templates.ts';

export interface EndorsementKey {
  readonly area: TpmPublic;
  readonly certificateDer: Uint8Array;
}

const ATTESTATION = 'attestation';
const CHUNK = 512;
/** Persistent endorsement keys that makers leave behind, so that none has to be made (Provisioning Guidance, 7.8). */
const KEPT_ENDORSEMENT = [0x81010001, 0x81010002] as const;

/** What a TPM says of itself: who made it, and what the machine around it measured. */
export class TpmIdentity {
  readonly #tpm: Tpm;
  readonly #keys: TpmKeyStore;
  readonly #random: Random;

  constructor(tpm: Tpm, keys: TpmKeyStore, random: Random) {
    this.#tpm = tpm;
    this.#keys = keys;
    this.#random = random;
  }

  /** @throws `device.tpm_no_endorsement` when the maker left no certificate for a key we know to make */
  endorsement(): Promise<EndorsementKey> {
    return this.#tpm.exclusively(() => this.#findEndorsement());
  }

  async #findEndorsement(): Promise<EndorsementKey> {
    for (const { index, key } of EK_CERTIFICATES) {
      const certificateDer = await this.#readCertificate(index);
      if (certificateDer === undefined) continue;
      const spki = decodeCertificate(certificateDer).spki.raw;
      const area = await this.#withEndorsement(ENDORSEMENT_KEYS[key], spki, (_handle, found) => Promise.resolve(found));
      if (area !== undefined) return { area, certificateDer };
    }
    throw new HoldfastError('device.tpm_no_endorsement');
  }

  /** The public area of the attestation key, made on first use. */
  async attestationKey(): Promise<TpmPublic> {
    const kept = this.#keys.areaOf(ATTESTATION);
    if (kept !== undefined) return kept;
    await this.#keys.createFrom(ATTESTATION, ATTESTATION_KEY);
    const made = this.#keys.areaOf(ATTESTATION);
    if (made === undefined) throw new HoldfastError('device.folder_damaged', { file: ATTESTATION });
    return made;
  }

  /** Opens what the server sealed for this TPM and its attestation key. @throws `device.tpm_refused` */
  async activate({ area }: EndorsementKey, credential: TpmCredential): Promise<Uint8Array> {
    const opened = await this.#tpm.exclusively(() =>
      this.#withEndorsement(area, tpmSpki(area), (endorsement) =>
        this.#keys.withKey(ATTESTATION, (object) =>
          this.#tpm.using(tpmCalls.startPolicySession(this.#random.bytes(16), 'sha256'), async (session) => {
            await this.#tpm.run(tpmCalls.policySecret(TPM_HANDLE.endorsement, session));
            return this.#tpm.run(tpmCalls.activateCredential(object, { handle: endorsement, session }, credential));
          }),
        ),
      ),
    );
    if (opened === undefined) throw new HoldfastError('device.tpm_no_endorsement');
    return opened;
  }

  /** Shows by the attestation key that a key is in this TPM. @returns TPMS_ATTEST and TPMT_SIGNATURE */
  async certify(certified: DeviceKey, data: Uint8Array): Promise<Pick<QuoteEvidence, 'attest' | 'signature'>> {
    const { attest, signature } = await this.#tpm.exclusively(() =>
      this.#keys.withOwnKey(certified, (object) =>
        this.#keys.withKey(ATTESTATION, (key) => this.#tpm.run(tpmCalls.certify(object, key, data))),
      ),
    );
    return { attest, signature: encodeTpmSignature(signature) };
  }

  /** Quotes the registers under a nonce. A register that changes in between makes the quote worthless: ask again. */
  async quote(nonce: Uint8Array, pcrs: readonly number[], eventLog: Uint8Array | undefined): Promise<QuoteEvidence> {
    const selection = [{ bank: 'sha256', pcrs }] as const;
    const { attest, signature } = await this.#tpm.exclusively(() =>
      this.#keys.withKey(ATTESTATION, (key) => this.#tpm.run(tpmCalls.quote(key, nonce, selection))),
    );
    return { attest, signature: encodeTpmSignature(signature), pcrs: await this.#readRegisters(pcrs), eventLog };
  }

  async #readRegisters(pcrs: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>> {
    const values = new Map<number, Uint8Array>();
    for (let left = [...pcrs]; left.length > 0; left = left.filter((pcr) => !values.has(pcr))) {
      const given = await this.#tpm.run(tpmCalls.pcrRead([{ bank: 'sha256', pcrs: left }]));
      const read = given.selections.find(({ bank }: PcrSelection) => bank === 'sha256')?.pcrs ?? [];
      if (read.length === 0) throw new HoldfastError('device.tpm_refused', { command: 'PCR_Read' });
      for (const [at, pcr] of read.entries()) values.set(pcr, given.values[at] ?? new Uint8Array());
    }
    return values;
  }

  /** @returns undefined when neither a kept nor a made key is the one asked for */
  async #withEndorsement<T>(
    template: TpmPublic,
    spki: Uint8Array,
    use: (handle: number, area: TpmPublic) => Promise<T>,
  ): Promise<T | undefined> {
    for (const handle of KEPT_ENDORSEMENT) {
      const area = await this.#tpm.find(tpmCalls.readPublic(handle));
      if (area !== undefined && equalBytes(tpmSpki(area), spki)) return use(handle, area);
    }
    const isRsa = template.type === 'rsa';
    const made = await this.#tpm.run(
      tpmCalls.createPrimary(TPM_HANDLE.endorsement, ENDORSEMENT_KEYS[isRsa ? 'rsa-2048' : 'P-256']),
    );
    try {
      return equalBytes(tpmSpki(made.area), spki) ? await use(made.handle, made.area) : undefined;
    } finally {
      await this.#tpm.run(tpmCalls.flushContext(made.handle));
    }
  }

  /** Makers define an index larger than the certificate in it; what follows is not part of it. */
  async #readCertificate(index: number): Promise<Uint8Array | undefined> {
    const size = await this.#tpm.find(tpmCalls.nvReadPublic(index));
    if (size === undefined) return undefined;
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += CHUNK) {
      bytes.set(await this.#tpm.run(tpmCalls.nvRead(index, at, Math.min(CHUNK, size - at))), at);
    }
    return wholeDer(bytes);
  }
}

/** The first DER element, by the two octets of length that every certificate has. */
function wholeDer(bytes: Uint8Array): Uint8Array {
  const isLong = bytes[0] === 0x30 && bytes[1] === 0x82;
  return isLong ? bytes.subarray(0, 4 + ((bytes[2] ?? 0) << 8) + (bytes[3] ?? 0)) : bytes;
}
