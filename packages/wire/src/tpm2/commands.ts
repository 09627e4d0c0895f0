import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { EMPTY_AUTH, type TpmAuthorization, type TpmRequest } from './command.ts';
import { TPM_ALG, TPM_HANDLE, TPM_HASHES, type TpmHash } from './constants.ts';
import type { TpmCredential } from './credential.ts';
import { malformed, readSized, writeSized } from './fields.ts';
import { type PcrSelection, readPcrSelections, writePcrSelections } from './pcr-selection.ts';
import { encodeTpmPublic, readSizedPublic, type TpmPublic } from './public-area.ts';
import { readTpmSignature, type TpmSignature } from './signature.ts';

/** A request and how its answer is read. */
export interface TpmCall<T> extends TpmRequest {
  readonly read: (parameters: ByteReader, handles: readonly number[]) => T;
}

const NOTHING = new Uint8Array();
const MAX_PRIVATE = 1024;
const MAX_NV = 2048;
/** TPMT_TK_HASHCHECK of a digest made outside: only a key that is not restricted signs it. */
const NULL_TICKET = new ByteWriter(8).u16be(0x8024).u32be(TPM_HANDLE.null).u16be(0).finish();

const done = (): void => undefined;
const writer = (): ByteWriter => new ByteWriter(128);
const sizedPublic = (area: TpmPublic): Uint8Array => writeSized(writer(), encodeTpmPublic(area)).finish();
/** TPM2B_SENSITIVE_CREATE without a password and without data of our own. */
const EMPTY_SENSITIVE = new ByteWriter(8).u16be(4).u16be(0).u16be(0).finish();
/** No outsideInfo, no creationPCR. */
const NO_CREATION_DATA = new ByteWriter(8).u16be(0).u32be(0).finish();

/** TPM_SU_CLEAR. A TPM that was started already answers TPM_RC_INITIALIZE. */
export function startup(): TpmCall<void> {
  const parameters = writer().u16be(0).finish();
  return { command: 'Startup', handles: [], authorizations: [], parameters, read: done };
}

export function getRandom(length: number): TpmCall<Uint8Array> {
  const parameters = writer().u16be(length).finish();
  return {
    command: 'GetRandom',
    handles: [],
    authorizations: [],
    parameters,
    read: (r) => readSized(r, 'randomBytes', 64),
  };
}

/** A primary key: the same template gives the same key for as long as the hierarchy's seed lives. */
export function createPrimary(hierarchy: number, template: TpmPublic): TpmCall<{ handle: number; area: TpmPublic }> {
  return {
    command: 'CreatePrimary',
    handles: [hierarchy],
    authorizations: [EMPTY_AUTH],
    parameters: writer().bytes(EMPTY_SENSITIVE).bytes(sizedPublic(template)).bytes(NO_CREATION_DATA).finish(),
    read: (r, [handle = 0]) => ({ handle, area: readSizedPublic(r, 'outPublic') }),
  };
}

/** A key under `parent`. Both halves come back with their size in front, as `load` wants them. */
export function create(
  parent: number,
  template: TpmPublic,
): TpmCall<{ privateArea: Uint8Array; publicArea: Uint8Array }> {
  return {
    command: 'Create',
    handles: [parent],
    authorizations: [EMPTY_AUTH],
    parameters: writer().bytes(EMPTY_SENSITIVE).bytes(sizedPublic(template)).bytes(NO_CREATION_DATA).finish(),
    read: (r) => ({ privateArea: whole(r, 'outPrivate'), publicArea: whole(r, 'outPublic') }),
  };
}

export function load(parent: number, privateArea: Uint8Array, publicArea: Uint8Array): TpmCall<number> {
  return {
    command: 'Load',
    handles: [parent],
    authorizations: [EMPTY_AUTH],
    parameters: writer().bytes(privateArea).bytes(publicArea).finish(),
    read: (r, [handle = 0]) => {
      readSized(r, 'name', 66);
      return handle;
    },
  };
}

export function readPublic(handle: number): TpmCall<TpmPublic> {
  return {
    command: 'ReadPublic',
    handles: [handle],
    authorizations: [],
    parameters: NOTHING,
    read: (r) => {
      const area = readSizedPublic(r, 'outPublic');
      readSized(r, 'name', 66);
      readSized(r, 'qualifiedName', 66);
      return area;
    },
  };
}

/** Signs a SHA-256 digest by ECDSA, with a key that is not restricted. */
export function signDigest(handle: number, digest: Uint8Array): TpmCall<TpmSignature> {
  return {
    command: 'Sign',
    handles: [handle],
    authorizations: [EMPTY_AUTH],
    parameters: writeSized(writer(), digest).u16be(TPM_ALG.ecdsa).u16be(TPM_ALG.sha256).bytes(NULL_TICKET).finish(),
    read: readTpmSignature,
  };
}

/** Takes an object or a session out of the TPM's few slots. */
export function flushContext(handle: number): TpmCall<void> {
  const parameters = writer().u32be(handle).finish();
  return { command: 'FlushContext', handles: [], authorizations: [], parameters, read: done };
}

/** Keeps a loaded key under a persistent handle; given that handle as `object`, takes it out again. */
export function evictControl(object: number, persistent: number): TpmCall<void> {
  return {
    command: 'EvictControl',
    handles: [TPM_HANDLE.owner, object],
    authorizations: [EMPTY_AUTH],
    parameters: writer().u32be(persistent).finish(),
    read: done,
  };
}

/** @returns how many bytes the index holds */
export function nvReadPublic(index: number): TpmCall<number> {
  return {
    command: 'NV_ReadPublic',
    handles: [index],
    authorizations: [],
    parameters: NOTHING,
    read: (r) => {
      const area = new ByteReader(readSized(r, 'nvPublic', 256));
      area.skip(10, 'nvPublic.head');
      readSized(area, 'nvPublic.authPolicy', 64);
      const size = area.u16be('nvPublic.dataSize');
      area.end('nvPublic');
      readSized(r, 'nvName', 66);
      return size;
    },
  };
}

/** At most 1,024 bytes a call, which every TPM of the field allows. */
export function nvRead(index: number, offset: number, length: number): TpmCall<Uint8Array> {
  return {
    command: 'NV_Read',
    handles: [index, index],
    authorizations: [EMPTY_AUTH],
    parameters: writer().u16be(length).u16be(offset).finish(),
    read: (r) => readSized(r, 'data', MAX_NV),
  };
}

/** A policy session, not bound and not salted: it authorises, it hides nothing. */
export function startPolicySession(nonce: Uint8Array, hash: TpmHash): TpmCall<number> {
  return {
    command: 'StartAuthSession',
    handles: [TPM_HANDLE.null, TPM_HANDLE.null],
    authorizations: [],
    parameters: writeSized(writer(), nonce).u16be(0).u8(1).u16be(TPM_ALG.null).u16be(TPM_HASHES[hash].id).finish(),
    read: (r, [session = 0]) => {
      readSized(r, 'nonceTPM', 64);
      return session;
    },
  };
}

/** Shows that the caller may use `entity`, which is what endorsement keys ask for (EK Credential Profile, PolicyA). */
export function policySecret(entity: number, session: number): TpmCall<void> {
  return {
    command: 'PolicySecret',
    handles: [entity, session],
    authorizations: [EMPTY_AUTH],
    parameters: writer().u16be(0).u16be(0).u16be(0).u32be(0).finish(),
    read: (r) => {
      readSized(r, 'timeout', 64);
      r.skip(6, 'policyTicket');
      readSized(r, 'policyTicket.digest', 64);
    },
  };
}

/** Opens a credential made for the object's name; refused when either the object or the EK is another. */
export function activateCredential(
  object: number,
  endorsement: { readonly handle: number; readonly session: number },
  { idObject, encryptedSecret }: TpmCredential,
): TpmCall<Uint8Array> {
  const policy: TpmAuthorization = { session: endorsement.session, password: NOTHING };
  return {
    command: 'ActivateCredential',
    handles: [object, endorsement.handle],
    authorizations: [EMPTY_AUTH, policy],
    parameters: writeSized(writeSized(writer(), idObject), encryptedSecret).finish(),
    read: (r) => readSized(r, 'certInfo', 64),
  };
}

export interface AttestedBytes {
  /** TPMS_ATTEST. */
  readonly attest: Uint8Array;
  readonly signature: TpmSignature;
}

/** The registers' digest under the nonce, signed by a restricted key. */
export function quote(key: number, nonce: Uint8Array, selections: readonly PcrSelection[]): TpmCall<AttestedBytes> {
  return {
    command: 'Quote',
    handles: [key],
    authorizations: [EMPTY_AUTH],
    parameters: writePcrSelections(writeSized(writer(), nonce).u16be(TPM_ALG.null), selections).finish(),
    read: readAttested,
  };
}

/** Shows that `object` is loaded in this TPM, signed by a restricted key. */
export function certify(object: number, key: number, data: Uint8Array): TpmCall<AttestedBytes> {
  return {
    command: 'Certify',
    handles: [object, key],
    authorizations: [EMPTY_AUTH, EMPTY_AUTH],
    parameters: writeSized(writer(), data).u16be(TPM_ALG.null).finish(),
    read: readAttested,
  };
}

export interface PcrValues {
  /** Which of the registers asked for came; a TPM gives at most eight a call. */
  readonly selections: readonly PcrSelection[];
  readonly values: readonly Uint8Array[];
}

export function pcrRead(selections: readonly PcrSelection[]): TpmCall<PcrValues> {
  return {
    command: 'PCR_Read',
    handles: [],
    authorizations: [],
    parameters: writePcrSelections(writer(), selections).finish(),
    read: (r) => {
      r.skip(4, 'pcrUpdateCounter');
      const given = readPcrSelections(r);
      const count = r.u32be('pcrValues.count');
      if (count > 8) throw malformed(r, 'pcrValues.count');
      return { selections: given, values: Array.from({ length: count }, () => readSized(r, 'pcrValue', 64)) };
    },
  };
}

export function pcrExtend(pcr: number, bank: TpmHash, digest: Uint8Array): TpmCall<void> {
  return {
    command: 'PCR_Extend',
    handles: [pcr],
    authorizations: [EMPTY_AUTH],
    parameters: writer().u32be(1).u16be(TPM_HASHES[bank].id).bytes(digest).finish(),
    read: done,
  };
}

const CAP_HANDLES = 1;

/** Handles in use from `first` on, at most 254. */
export function getHandles(first: number): TpmCall<readonly number[]> {
  return {
    command: 'GetCapability',
    handles: [],
    authorizations: [],
    parameters: writer().u32be(CAP_HANDLES).u32be(first).u32be(254).finish(),
    read: (r) => {
      r.skip(1, 'moreData');
      if (r.u32be('capability') !== CAP_HANDLES) throw malformed(r, 'capability');
      const count = r.u32be('handles.count');
      if (count > 254) throw malformed(r, 'handles.count');
      return Array.from({ length: count }, () => r.u32be('handle'));
    },
  };
}

function readAttested(reader: ByteReader): AttestedBytes {
  return { attest: readSized(reader, 'attest', 1024), signature: readTpmSignature(reader) };
}

function whole(reader: ByteReader, field: string): Uint8Array {
  const start = reader.offset;
  readSized(reader, field, MAX_PRIVATE);
  return reader.bytes.subarray(start, reader.offset);
}
