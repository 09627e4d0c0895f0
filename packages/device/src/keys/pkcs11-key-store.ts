import { ecdsaToDer, importPublicKey, type PrivateKey, sha256 } from '@holdfast/crypto';
import {
  CK,
  findPkcs11Objects,
  type Pkcs11Handle,
  type Pkcs11Module,
  readPkcs11PublicKey,
} from '@holdfast/crypto/pkcs11';
import { encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { encodeOid } from '@holdfast/wire/asn1';
import { OID } from '@holdfast/wire/x509';
import type { HardwareKey, KeyStore } from './key-store.ts';
import { loadPkcs11 } from './pkcs11.ts';

export interface Pkcs11Token {
  /** Path of the maker's module, for example `/usr/lib/softhsm/libsofthsm2.so`. */
  readonly modulePath: string;
  /** Label of the token. */
  readonly tokenLabel: string;
  /** A secret: it goes to the token and nowhere else. */
  readonly pin: string;
  /** OpenSSL engine that `node:tls` loads for client authentication, for example libp11's `pkcs11.so`. */
  readonly enginePath?: string;
}

/** Keys made in a PKCS #11 token, found again by label, not extractable. */
export class Pkcs11KeyStore implements KeyStore {
  readonly kind = 'pkcs11';
  readonly #token: Pkcs11Token;
  readonly #module: Pkcs11Module;
  readonly #session: Pkcs11Handle;

  /** @throws `device.pkcs11_missing`, `device.pkcs11_failed` */
  static async open(token: Pkcs11Token, load: () => Promise<Pkcs11Module> = loadPkcs11): Promise<Pkcs11KeyStore> {
    const module = await load();
    return attempt('open', () => {
      module.load(token.modulePath);
      module.C_Initialize();
      const slots = module.C_GetSlotList(true);
      const slot = slots.find((each) => module.C_GetTokenInfo(each).label.trimEnd() === token.tokenLabel);
      if (slot === undefined) throw new HoldfastError('device.pkcs11_failed', { step: 'token' });
      const session = module.C_OpenSession(slot, CK.sessionReadWrite);
      module.C_Login(session, CK.userLogin, token.pin);
      return new Pkcs11KeyStore(token, module, session);
    });
  }

  private constructor(token: Pkcs11Token, module: Pkcs11Module, session: Pkcs11Handle) {
    this.#token = token;
    this.#module = module;
    this.#session = session;
  }

  create(name: string): Promise<HardwareKey> {
    return attempt('create', () => {
      this.#destroy(name);
      const shared = [
        { type: CK.token, value: true },
        { type: CK.keyType, value: CK.keyEc },
        { type: CK.label, value: name },
        { type: CK.id, value: encodeUtf8(name) },
      ];
      this.#module.C_GenerateKeyPair(
        this.#session,
        { mechanism: CK.generateEc },
        [...shared, { type: CK.verify, value: true }, { type: CK.ecParams, value: encodeOid(OID.secp256r1) }],
        [
          ...shared,
          { type: CK.private, value: true },
          { type: CK.sensitive, value: true },
          { type: CK.extractable, value: false },
          { type: CK.sign, value: true },
        ],
      );
      return this.#keyOf(name);
    }).then((key) => {
      if (key === undefined) throw new HoldfastError('device.pkcs11_failed', { step: 'create' });
      return key;
    });
  }

  put(_name: string, _key: PrivateKey): Promise<void> {
    return Promise.reject(new HoldfastError('device.key_not_importable', { store: this.kind }));
  }

  load(name: string): Promise<HardwareKey | undefined> {
    return attempt('load', () => this.#keyOf(name));
  }

  remove(name: string): Promise<void> {
    return attempt('remove', () => this.#destroy(name));
  }

  close(): Promise<void> {
    return attempt('close', () => {
      this.#module.C_CloseSession(this.#session);
      this.#module.C_Finalize();
    });
  }

  #keyOf(name: string): HardwareKey | undefined {
    const [open] = this.#find(CK.classPublic, name);
    const [secret] = this.#find(CK.classPrivate, name);
    if (open === undefined || secret === undefined) return undefined;
    const publicKey = importPublicKey(readPkcs11PublicKey({ module: this.#module, session: this.#session }, open));
    const sign = (bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> =>
      attempt('sign', () => {
        this.#module.C_SignInit(this.#session, { mechanism: CK.ecdsa }, secret);
        return ecdsaToDer(this.#module.C_Sign(this.#session, Buffer.from(sha256(bytes)), Buffer.alloc(64)));
      });
    const signer = { algorithm: 'ecdsa-p256-sha256', publicKeySpki: publicKey.spki, sign } as const;
    return { kind: 'hardware', publicKey, signer, tls: this.#tlsKey(name) };
  }

  /** RFC 7512; the PIN reaches the engine through its own environment or configuration, never through this name. */
  #tlsKey(name: string): HardwareKey['tls'] {
    const { tokenLabel, enginePath = 'pkcs11' } = this.#token;
    const fields = [`token=${encodeURIComponent(tokenLabel)}`, `object=${encodeURIComponent(name)}`, 'type=private'];
    return { privateKeyEngine: enginePath, privateKeyIdentifier: `pkcs11:${fields.join(';')}` };
  }

  #find(objectClass: number, name: string): readonly Pkcs11Handle[] {
    return findPkcs11Objects({ module: this.#module, session: this.#session }, [
      { type: CK.class, value: objectClass },
      { type: CK.label, value: name },
    ]);
  }

  #destroy(name: string): void {
    for (const objectClass of [CK.classPrivate, CK.classPublic]) {
      for (const found of this.#find(objectClass, name)) this.#module.C_DestroyObject(this.#session, found);
    }
  }
}

/** The addon throws errors of its own, whose texts may hold what was given to it. */
async function attempt<T>(step: string, work: () => T): Promise<T> {
  try {
    return work();
  } catch (cause) {
    if (HoldfastError.is(cause)) throw cause;
    throw new HoldfastError('device.pkcs11_failed', { step }, { cause });
  }
}
