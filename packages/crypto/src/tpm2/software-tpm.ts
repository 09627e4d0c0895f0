import { createHash } from 'node:crypto';
import {
  ByteReader,
  ByteWriter,
  concatBytes,
  encodeHex,
  equalBytes,
  HoldfastError,
  type Random,
  systemRandom,
} from '@holdfast/kernel';
import {
  decodeTpmRequest,
  encodeTpmAttest,
  encodeTpmPublic,
  encodeTpmResponse,
  encodeTpmSignature,
  hasAttributes,
  readPcrSelections,
  readSized,
  readSizedPublic,
  TPM_HANDLE,
  TPM_HASHES,
  TPM_OBJECT,
  TPM_RC,
  type TpmAttest,
  type TpmCommandName,
  type TpmPublic,
  type TpmRequest,
} from '@holdfast/wire/tpm2';
import { generatePrivateKey, type PrivateKey } from '../keys/private-key.ts';
import { openCredential } from './credential.ts';
import { tpmName } from './names.ts';
import { pcrDigest } from './registers.ts';
import { signP256Digest } from './sign-digest.ts';
import { sized, type SoftwareAnswer, SoftwareNv, SoftwareRegisters } from './software-memory.ts';

interface Call {
  readonly request: TpmRequest;
  readonly first: number;
  readonly second: number;
  readonly r: ByteReader;
}

type Handler = (call: Call) => SoftwareAnswer | Promise<SoftwareAnswer>;

interface LoadedObject {
  readonly area: TpmPublic;
  readonly key: PrivateKey;
  readonly qualifiedName: Uint8Array;
}

/** Slots of a TPM without a resource manager, as small as the standard allows. */
const TRANSIENT_SLOTS = 3;
const FIRST_TRANSIENT = 0x80000000;
const FIRST_SESSION = 0x03000000;
const RC = {
  memory: 0x902,
  sessions: 0x903,
  size: 0x095,
  attributes: 0x082,
  authUnavailable: 0x12f,
  policy: 0x99d,
} as const;

/**
 * A TPM 2.0 in this process, P-256 only, for virtual gateways and for tests: what it signs and opens is what a chip
 * signs and opens, and it forgets objects, refuses handles and runs out of slots as one. It protects nothing.
 */
export class SoftwareTpm {
  readonly #random: Random;
  readonly #primaries = new Map<string, LoadedObject>();
  readonly #children = new Map<
    string,
    { readonly area: TpmPublic; readonly key: PrivateKey; readonly parent: string }
  >();
  readonly #transient = new Map<number, LoadedObject>();
  readonly #persistent = new Map<number, LoadedObject>();
  readonly #sessions = new Map<number, { satisfied: boolean }>();
  readonly #nv = new SoftwareNv();
  #registers = new SoftwareRegisters();
  #clock = 0n;
  #resetCount = 1;

  readonly #handlers: Readonly<Record<TpmCommandName, Handler>> = {
    Startup: () => ({ refused: TPM_RC.initialize }),
    GetRandom: ({ r }) => ({ parameters: sized(this.#random.bytes(Math.min(r.u16be('length'), 32))) }),
    GetCapability: ({ r }) => this.#handlesFrom(r),
    CreatePrimary: ({ first, r }) => this.#createPrimary(first, r),
    Create: ({ first, r }) => this.#create(first, r),
    Load: ({ first, r }) => this.#load(first, r),
    ReadPublic: ({ first }) => this.#readPublic(first),
    FlushContext: ({ r }) => this.#flush(r.u32be('flushHandle')),
    EvictControl: ({ second, r }) => this.#evict(second, r.u32be('persistentHandle')),
    Sign: ({ first, r }) => this.#sign(first, r),
    Quote: ({ first, r }) => this.#quote(first, r),
    Certify: ({ first, second, r }) => this.#certify(first, second, r),
    PCR_Read: ({ r }) => this.#registers.read(r),
    PCR_Extend: ({ first, r }) => this.#registers.extend(first, r),
    NV_ReadPublic: ({ first }) => this.#nv.readPublic(first),
    NV_Read: ({ second, r }) => this.#nv.read(second, r),
    StartAuthSession: () => this.#startSession(),
    PolicySecret: ({ first, second }) => this.#policySecret(first, second),
    ActivateCredential: ({ request, r }) => this.#activate(request, r),
  };

  constructor(random: Random = systemRandom) {
    this.#random = random;
  }

  /** What a maker writes before it sells the chip. */
  writeNv(index: number, bytes: Uint8Array): void {
    this.#nv.write(index, bytes);
  }

  /** The machine starts again: registers, transient objects and sessions are gone. */
  reset(): void {
    this.#registers = new SoftwareRegisters();
    this.#transient.clear();
    this.#sessions.clear();
    this.#resetCount += 1;
  }

  /** One command in, its response out. Never throws; what it cannot read is TPM_RC_COMMAND_CODE. */
  async execute(bytes: Uint8Array): Promise<Uint8Array> {
    this.#clock += 10n;
    try {
      const request = decodeTpmRequest(bytes);
      const [first = 0, second = 0] = request.handles;
      const r = new ByteReader(request.parameters);
      const answer = await this.#handlers[request.command]({ request, first, second, r });
      if ('refused' in answer) return refusal(answer.refused);
      const { handles = [], parameters = new Uint8Array() } = answer;
      return encodeTpmResponse({ kind: 'done', handles, parameters }, request.authorizations.length);
    } catch (error) {
      if (HoldfastError.is(error, 'crypto.open_failed')) return refusal(TPM_RC.integrity);
      return refusal(HoldfastError.is(error, 'wire.unsupported') ? TPM_RC.commandCode : RC.size);
    }
  }

  async #createPrimary(hierarchy: number, r: ByteReader): Promise<SoftwareAnswer> {
    skipSensitive(r);
    const template = readSizedPublic(r, 'inPublic');
    if (template.type !== 'ecc' || template.curve !== 'P-256') return { refused: TPM_RC.value };
    const seed = `${hierarchy} ${encodeHex(encodeTpmPublic(template))}`;
    const made = this.#primaries.get(seed) ?? (await newObject(template, hierarchy));
    this.#primaries.set(seed, made);
    const handle = this.#place(made);
    if (handle === undefined) return { refused: RC.memory };
    // creationData, creationHash, creationTicket and name follow; nobody here reads them.
    return { handles: [handle], parameters: sized(encodeTpmPublic(made.area)) };
  }

  async #create(parent: number, r: ByteReader): Promise<SoftwareAnswer> {
    const above = this.#find(parent);
    if (above === undefined) return { refused: TPM_RC.handle };
    skipSensitive(r);
    const template = readSizedPublic(r, 'inPublic');
    if (template.type !== 'ecc' || template.curve !== 'P-256') return { refused: TPM_RC.value };
    const key = await generatePrivateKey('P-256');
    const area = withPoint(template, key);
    const reference = this.#random.bytes(16);
    this.#children.set(encodeHex(reference), { area, key, parent: nameOf(above) });
    return { parameters: concatBytes(sized(reference), sized(encodeTpmPublic(area))) };
  }

  #load(parent: number, r: ByteReader): SoftwareAnswer {
    const above = this.#find(parent);
    const reference = encodeHex(readSized(r, 'inPrivate', 256));
    const area = readSizedPublic(r, 'inPublic');
    if (above === undefined) return { refused: TPM_RC.handle };
    const child = this.#children.get(reference);
    const isOurs = child?.parent === nameOf(above) && equalBytes(tpmName(child.area), tpmName(area));
    // Another TPM's key, or another public half: what a chip calls broken integrity.
    if (child === undefined || !isOurs) return { refused: TPM_RC.integrity };
    const qualifiedName = qualify(above.qualifiedName, child.area);
    const handle = this.#place({ ...child, qualifiedName });
    return handle === undefined ? { refused: RC.memory } : { handles: [handle], parameters: sized(tpmName(area)) };
  }

  #readPublic(handle: number): SoftwareAnswer {
    const found = this.#find(handle);
    if (found === undefined) return { refused: TPM_RC.handle };
    const { area, qualifiedName } = found;
    return { parameters: concatBytes(sized(encodeTpmPublic(area)), sized(tpmName(area)), sized(qualifiedName)) };
  }

  #flush(handle: number): SoftwareAnswer {
    return this.#transient.delete(handle) || this.#sessions.delete(handle) ? {} : { refused: TPM_RC.handle };
  }

  #evict(object: number, persistent: number): SoftwareAnswer {
    if (object === persistent) return this.#persistent.delete(persistent) ? {} : { refused: TPM_RC.handle };
    const found = this.#transient.get(object);
    if (found === undefined) return { refused: TPM_RC.handle };
    if (this.#persistent.has(persistent)) return { refused: 0x14c };
    this.#persistent.set(persistent, found);
    return {};
  }

  #sign(handle: number, r: ByteReader): SoftwareAnswer {
    const found = this.#find(handle);
    const digest = readSized(r, 'digest', 64);
    if (found === undefined) return { refused: TPM_RC.handle };
    // A restricted key signs no digest that the TPM did not make: else it would sign a forged quote.
    const isFree = hasAttributes(found.area, TPM_OBJECT.sign) && !hasAttributes(found.area, TPM_OBJECT.restricted);
    return isFree ? { parameters: this.#signature(found.key, digest) } : { refused: RC.attributes };
  }

  #quote(handle: number, r: ByteReader): SoftwareAnswer {
    const found = this.#find(handle);
    const extraData = readSized(r, 'qualifyingData', 66);
    r.skip(2, 'inScheme');
    const selections = readPcrSelections(r);
    if (found === undefined) return { refused: TPM_RC.handle };
    const values = this.#registers.of(selections[0]?.pcrs ?? []);
    return this.#attest(found, { kind: 'quote', extraData, selections, pcrDigest: pcrDigest(values, 'sha256') });
  }

  #certify(object: number, key: number, r: ByteReader): SoftwareAnswer {
    const [certified, signer] = [this.#find(object), this.#find(key)];
    const extraData = readSized(r, 'qualifyingData', 66);
    if (certified === undefined || signer === undefined) return { refused: TPM_RC.handle };
    const { area, qualifiedName } = certified;
    return this.#attest(signer, { kind: 'certify', extraData, name: tpmName(area), qualifiedName });
  }

  #attest({ key, qualifiedName }: LoadedObject, what: AttestBody): SoftwareAnswer {
    const attest = encodeTpmAttest({
      ...what,
      qualifiedSigner: qualifiedName,
      clockInfo: { clock: this.#clock, resetCount: this.#resetCount, restartCount: 0, safe: true },
      firmwareVersion: 1n,
    });
    const digest = createHash('sha256').update(attest).digest();
    return { parameters: concatBytes(sized(attest), this.#signature(key, digest)) };
  }

  #startSession(): SoftwareAnswer {
    if (this.#sessions.size === TRANSIENT_SLOTS) return { refused: RC.sessions };
    const handle = freeHandle(FIRST_SESSION, this.#sessions);
    this.#sessions.set(handle, { satisfied: false });
    return { handles: [handle], parameters: sized(this.#random.bytes(32)) };
  }

  #policySecret(entity: number, session: number): SoftwareAnswer {
    const open = this.#sessions.get(session);
    if (open === undefined) return { refused: TPM_RC.handle };
    open.satisfied = entity === TPM_HANDLE.endorsement;
    return { parameters: new ByteWriter().u16be(0).u16be(0x8025).u32be(TPM_HANDLE.null).u16be(0).finish() };
  }

  #activate({ handles, authorizations }: TpmRequest, r: ByteReader): SoftwareAnswer {
    const [object, endorsement] = handles.map((handle) => this.#find(handle));
    const session = this.#sessions.get(authorizations[1]?.session ?? 0);
    if (object === undefined || endorsement === undefined) return { refused: TPM_RC.handle };
    if (session === undefined) return { refused: RC.authUnavailable };
    if (!session.satisfied) return { refused: RC.policy };
    const credential = { idObject: readSized(r, 'credentialBlob', 256), encryptedSecret: readSized(r, 'secret', 256) };
    return { parameters: sized(openCredential(endorsement, tpmName(object.area), credential)) };
  }

  #handlesFrom(r: ByteReader): SoftwareAnswer {
    r.skip(4, 'capability');
    const first = r.u32be('property');
    const all = [...this.#persistent.keys(), ...this.#transient.keys(), ...this.#nv.indexes];
    const found = all.filter((handle) => handle >= first && handle >>> 24 === first >>> 24).sort((a, b) => a - b);
    const writer = new ByteWriter().u8(0).u32be(1).u32be(found.length);
    for (const handle of found) writer.u32be(handle);
    return { parameters: writer.finish() };
  }

  #signature(key: PrivateKey, digest: Uint8Array): Uint8Array {
    return encodeTpmSignature({ scheme: 'ecdsa', hash: 'sha256', ...signP256Digest(key, digest, this.#random) });
  }

  #find(handle: number): LoadedObject | undefined {
    return this.#transient.get(handle) ?? this.#persistent.get(handle);
  }

  #place(object: LoadedObject): number | undefined {
    if (this.#transient.size === TRANSIENT_SLOTS) return undefined;
    const handle = freeHandle(FIRST_TRANSIENT, this.#transient);
    this.#transient.set(handle, object);
    return handle;
  }
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type AttestBody = Without<TpmAttest, 'qualifiedSigner' | 'clockInfo' | 'firmwareVersion'>;

async function newObject(template: TpmPublic & { readonly type: 'ecc' }, hierarchy: number): Promise<LoadedObject> {
  const key = await generatePrivateKey('P-256');
  const area = withPoint(template, key);
  return { area, key, qualifiedName: qualify(new ByteWriter().u32be(hierarchy).finish(), area) };
}

function withPoint(template: TpmPublic & { readonly type: 'ecc' }, key: PrivateKey): TpmPublic {
  const point = key.publicKey.spki.slice(-64);
  return { ...template, x: point.subarray(0, 32), y: point.subarray(32) };
}

function qualify(above: Uint8Array, area: TpmPublic): Uint8Array {
  const { id } = TPM_HASHES[area.nameHash];
  const digest = createHash(area.nameHash).update(above).update(tpmName(area)).digest();
  return concatBytes(Uint8Array.of(id >> 8, id & 0xff), digest);
}

function nameOf({ area }: LoadedObject): string {
  return encodeHex(tpmName(area));
}

function freeHandle(first: number, used: ReadonlyMap<number, unknown>): number {
  let handle = first;
  while (used.has(handle)) handle += 1;
  return handle;
}

function skipSensitive(r: ByteReader): void {
  readSized(r, 'inSensitive', 256);
}

function refusal(code: number): Uint8Array {
  return encodeTpmResponse({ kind: 'refused', code }, 0);
}
