import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { systemRandom } from '@holdfast/kernel';
import { encodeOctetString } from '@holdfast/wire/asn1';
import { PrivateKey, signP256Digest } from '../../index.ts';
import {
  CK,
  type Pkcs11Attribute,
  type Pkcs11Handle,
  type Pkcs11Mechanism,
  type Pkcs11Module,
  type Pkcs11TokenInfo,
} from '../module.ts';

interface Stored {
  readonly handle: Pkcs11Handle;
  readonly attributes: ReadonlyMap<number, Pkcs11Attribute['value']>;
  readonly key: KeyObject;
  readonly point: Uint8Array;
}

const SLOT = Uint8Array.of(2);

/** A PKCS #11 token in memory that refuses what a token refuses: a wrong PIN, a key that may not sign. */
export class FakeToken implements Pkcs11Module {
  readonly #label: string;
  readonly #pin: string;
  #objects: Stored[] = [];
  #found: Pkcs11Handle[] = [];
  #signing: Stored | undefined;
  #isIn = true;
  #session = Uint8Array.of(1, 0);
  #logins = 0;

  constructor(label: string, pin: string) {
    this.#label = label;
    this.#pin = pin;
  }

  load(): void {}
  C_Initialize(): void {}
  C_Finalize(): void {}
  C_CloseSession(): void {}

  /** Pulls the token out, or puts it back: sessions of before are not those of after. */
  plug(isIn: boolean): void {
    this.#isIn = isIn;
    this.#session = Uint8Array.of(1, (this.#session[1] ?? 0) + 1);
  }

  /** How often somebody gave a PIN. */
  get logins(): number {
    return this.#logins;
  }

  C_GetSlotList(): Pkcs11Handle[] {
    return this.#isIn ? [SLOT] : [];
  }

  C_GetTokenInfo(): Pkcs11TokenInfo {
    return { label: this.#label.padEnd(32), serialNumber: '0001'.padEnd(16) };
  }

  C_OpenSession(): Pkcs11Handle {
    return this.#session;
  }

  C_Login(session: Pkcs11Handle, _user: number, pin: string): void {
    this.#check(session);
    this.#logins += 1;
    if (pin !== this.#pin) throw new RangeError('CKR_PIN_INCORRECT');
  }

  C_GenerateKeyPair(
    _session: Pkcs11Handle,
    { mechanism }: { readonly mechanism: number },
    open: readonly Pkcs11Attribute[],
    secret: readonly Pkcs11Attribute[],
  ): { readonly publicKey: Pkcs11Handle; readonly privateKey: Pkcs11Handle } {
    if (mechanism !== CK.generateEc) throw new RangeError('CKR_MECHANISM_INVALID');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const point = new PrivateKey(privateKey).publicKey.spki.slice(-65);
    const keep = (objectClass: number, template: readonly Pkcs11Attribute[]): Pkcs11Handle => {
      const handle = new Uint8Array(randomBytes(8));
      const attributes = new Map(template.map(({ type, value }) => [type, value] as const));
      this.#objects.push({ handle, key: privateKey, point, attributes: attributes.set(CK.class, objectClass) });
      return handle;
    };
    return { publicKey: keep(CK.classPublic, open), privateKey: keep(CK.classPrivate, secret) };
  }

  C_FindObjectsInit(session: Pkcs11Handle, template: readonly Pkcs11Attribute[]): void {
    this.#check(session);
    const fits = ({ attributes }: Stored): boolean =>
      template.every(({ type, value }) => attributes.get(type) === value);
    this.#found = this.#objects.filter(fits).map(({ handle }) => handle);
  }

  C_FindObjects(_session: Pkcs11Handle, limit: number): Pkcs11Handle[] {
    return this.#found.slice(0, limit);
  }

  C_FindObjectsFinal(): void {
    this.#found = [];
  }

  C_GetAttributeValue(
    _session: Pkcs11Handle,
    object: Pkcs11Handle,
    [asked]: readonly Pkcs11Attribute[],
  ): { readonly type: number; readonly value: Uint8Array }[] {
    const { attributes, point } = this.#of(object);
    const type = asked?.type ?? -1;
    const value = type === CK.ecPoint ? encodeOctetString(point) : attributes.get(type);
    if (value === undefined) throw new RangeError('CKR_ATTRIBUTE_TYPE_INVALID');
    return [{ type, value: value instanceof Uint8Array ? value : Uint8Array.of(Number(value), 0, 0, 0, 0, 0, 0, 0) }];
  }

  C_SignInit(session: Pkcs11Handle, { mechanism }: Pkcs11Mechanism, key: Pkcs11Handle): void {
    this.#check(session);
    const found = this.#of(key);
    if (mechanism !== CK.ecdsa || found.attributes.get(CK.sign) !== true) throw new RangeError('CKR_KEY_FUNCTION');
    this.#signing = found;
  }

  C_Sign(_session: Pkcs11Handle, digest: Uint8Array): Uint8Array {
    if (this.#signing === undefined) throw new RangeError('CKR_OPERATION_NOT_INITIALIZED');
    const { r, s } = signP256Digest(new PrivateKey(this.#signing.key), digest, systemRandom);
    this.#signing = undefined;
    return Uint8Array.of(...r, ...s);
  }

  async C_SignAsync(session: Pkcs11Handle, digest: Uint8Array): Promise<Uint8Array> {
    return this.C_Sign(session, digest);
  }

  C_DestroyObject(_session: Pkcs11Handle, object: Pkcs11Handle): void {
    this.#objects = this.#objects.filter(({ handle }) => handle !== object);
  }

  #check(session: Pkcs11Handle): void {
    if (!this.#isIn) throw new RangeError('CKR_DEVICE_REMOVED');
    if (session[1] !== this.#session[1]) throw new RangeError('CKR_SESSION_HANDLE_INVALID');
  }

  #of(handle: Pkcs11Handle): Stored {
    const found = this.#objects.find((each) => each.handle === handle);
    if (found === undefined) throw new RangeError('CKR_OBJECT_HANDLE_INVALID');
    return found;
  }
}
