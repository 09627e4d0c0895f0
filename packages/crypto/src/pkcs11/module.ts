import { createRequire } from 'node:module';

/** What we use of `pkcs11js` 2 (its README, "API"); handles are its own opaque buffers. */
export interface Pkcs11Module {
  load(path: string): void;
  /** @param options - `flags` as in PKCS #11 3.0 section 5.4: who signs on the thread pool has to give `CK.osLocking` */
  C_Initialize(options?: { readonly flags: number }): void;
  C_Finalize(): void;
  C_GetSlotList(tokenPresent: boolean): Pkcs11Handle[];
  C_GetTokenInfo(slot: Pkcs11Handle): Pkcs11TokenInfo;
  C_OpenSession(slot: Pkcs11Handle, flags: number): Pkcs11Handle;
  C_CloseSession(session: Pkcs11Handle): void;
  C_Login(session: Pkcs11Handle, user: number, pin: string): void;
  C_GenerateKeyPair(
    session: Pkcs11Handle,
    mechanism: Pkcs11Mechanism,
    publicTemplate: readonly Pkcs11Attribute[],
    privateTemplate: readonly Pkcs11Attribute[],
  ): { readonly publicKey: Pkcs11Handle; readonly privateKey: Pkcs11Handle };
  C_FindObjectsInit(session: Pkcs11Handle, template: readonly Pkcs11Attribute[]): void;
  C_FindObjects(session: Pkcs11Handle, limit: number): Pkcs11Handle[];
  C_FindObjectsFinal(session: Pkcs11Handle): void;
  C_GetAttributeValue(
    session: Pkcs11Handle,
    object: Pkcs11Handle,
    template: readonly Pkcs11Attribute[],
  ): readonly { readonly type: number; readonly value: Uint8Array }[];
  C_SignInit(session: Pkcs11Handle, mechanism: Pkcs11Mechanism, key: Pkcs11Handle): void;
  C_Sign(session: Pkcs11Handle, digest: Uint8Array, room: Uint8Array): Uint8Array;
  /** As `C_Sign`, on the thread pool. */
  C_SignAsync(session: Pkcs11Handle, digest: Uint8Array, room: Uint8Array): Promise<Uint8Array>;
  C_DestroyObject(session: Pkcs11Handle, object: Pkcs11Handle): void;
}

export type Pkcs11Handle = Uint8Array;

/** Padded with blanks, as tokens keep them. */
export interface Pkcs11TokenInfo {
  readonly label: string;
  readonly serialNumber: string;
}

export interface Pkcs11Mechanism {
  readonly mechanism: number;
  /** CK_RSA_PKCS_PSS_PARAMS; `type` is pkcs11js's own number for it. */
  readonly parameter?: {
    readonly type: number;
    readonly hashAlg: number;
    readonly mgf: number;
    readonly saltLen: number;
  };
}

export interface Pkcs11Attribute {
  readonly type: number;
  readonly value?: number | boolean | string | Uint8Array;
}

/** Numbers of PKCS #11 3.0, `pkcs11t.h`. */
export const CK = {
  userLogin: 1,
  osLocking: 0x2,
  sessionReadOnly: 0x4,
  sessionReadWrite: 0x6,
  classPublic: 2,
  classPrivate: 3,
  keyRsa: 0,
  keyEc: 3,
  rsaPkcs: 0x1,
  rsaPss: 0xd,
  generateEc: 0x1040,
  ecdsa: 0x1041,
  sha256: 0x250,
  sha384: 0x260,
  sha512: 0x270,
  mgfSha256: 2,
  mgfSha384: 3,
  mgfSha512: 4,
  class: 0x000,
  token: 0x001,
  private: 0x002,
  label: 0x003,
  keyType: 0x100,
  id: 0x102,
  sensitive: 0x103,
  sign: 0x108,
  verify: 0x10a,
  modulus: 0x120,
  publicExponent: 0x122,
  extractable: 0x162,
  ecParams: 0x180,
  ecPoint: 0x181,
} as const;

/** The optional native addon, from beside us or from a folder of `NODE_PATH`; undefined when it is not installed. */
export function loadPkcs11Module(): Pkcs11Module | undefined {
  try {
    // Not among our dependencies: it has to be compiled where it is installed.
    const found = createRequire(import.meta.url)('pkcs11js') as { readonly PKCS11?: new () => Pkcs11Module };
    return found.PKCS11 && new found.PKCS11();
  } catch {
    return undefined;
  }
}
