import { HoldfastError } from '@holdfast/kernel';

/** What we use of `pkcs11js` 2 (its README, "API"); handles are its own opaque buffers. */
export interface Pkcs11Module {
  load(path: string): void;
  C_Initialize(): void;
  C_Finalize(): void;
  C_GetSlotList(tokenPresent: boolean): Pkcs11Handle[];
  C_GetTokenInfo(slot: Pkcs11Handle): { readonly label: string };
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
  C_DestroyObject(session: Pkcs11Handle, object: Pkcs11Handle): void;
}

export type Pkcs11Handle = Uint8Array;

export interface Pkcs11Mechanism {
  readonly mechanism: number;
}

export interface Pkcs11Attribute {
  readonly type: number;
  readonly value?: number | boolean | string | Uint8Array;
}

/** Numbers of PKCS #11 3.0, `pkcs11t.h`. */
export const CK = {
  userLogin: 1,
  sessionReadWrite: 0x6,
  classPublic: 2,
  classPrivate: 3,
  keyEc: 3,
  generateEc: 0x1040,
  ecdsa: 0x1041,
  class: 0x000,
  token: 0x001,
  private: 0x002,
  label: 0x003,
  keyType: 0x100,
  id: 0x102,
  sensitive: 0x103,
  sign: 0x108,
  verify: 0x10a,
  extractable: 0x162,
  ecParams: 0x180,
  ecPoint: 0x181,
} as const;

/**
 * Loads the optional native addon.
 *
 * @throws `device.pkcs11_missing` when it is not installed
 */
export async function loadPkcs11(): Promise<Pkcs11Module> {
  // A name the type checker and bundlers do not follow: the package is not among our dependencies.
  const name: string = 'pkcs11js';
  try {
    const found = (await import(name)) as {
      readonly PKCS11?: new () => Pkcs11Module;
      readonly default?: { PKCS11: new () => Pkcs11Module };
    };
    const Module = found.PKCS11 ?? found.default?.PKCS11;
    if (Module === undefined) throw new HoldfastError('device.pkcs11_missing');
    return new Module();
  } catch (cause) {
    if (HoldfastError.is(cause)) throw cause;
    throw new HoldfastError('device.pkcs11_missing', {}, { cause });
  }
}
