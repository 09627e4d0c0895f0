import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { encodeOctetString } from '@holdfast/wire/asn1';
import { PrivateKey, signP256Digest } from '@holdfast/crypto';
import { systemRandom } from '@holdfast/kernel';
import { CK, type Pkcs11Attribute, type Pkcs11Handle, type Pkcs11Module } from '../keys/pkcs11.ts';

interface Stored {
  readonly handle: Pkcs11Handle;
  readonly attributes: ReadonlyMap<number, Pkcs11Attribute['value']>;
  readonly key: KeyObject;
  readonly point: Uint8Array;
}

const SESSION = Uint8Array.of(1);
const SLOT = Uint8Array.of(2);

/** A PKCS #11 token in memory that refuses what a token refuses: a wrong PIN, a key that may not sign. */
export class FakeToken implements Pkcs11Module {
  readonly #label: string;
  readonly #pin: string;
  #objects: Stored[] = [];
  #found: Pkcs11Handle[] = [];
  #signing: Stored | undefined;

  constructor(label: string, pin: string) {
    this.#label = label;
    this.#pin = pin;
  }

  load(): void {}
  C_Initialize(): void {}
  C_Finalize(): void {}
  C_CloseSession(): void {}

  C_GetSlotList(): Pkcs11Handle[] {
    return [SLOT];
  }

  C_GetTokenInfo(): { readonly label: string } {
    return { label: this.#label.padEnd(32) };
  }

  C_OpenSession(): Pkcs11Handle {
    return SESSION;
  }

  C_Login(_session: Pkcs11Handle, _user: number, pin: string): void {
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

  C_FindObjectsInit(_session: Pkcs11Handle, template: readonly Pkcs11Attribute[]): void {
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
  ): { readonly type: number; readonly value: Uint8Array }[] {
    return [{ type: CK.ecPoint, value: encodeOctetString(this.#of(object).point) }];
  }

  C_SignInit(_session: Pkcs11Handle, { mechanism }: { readonly mechanism: number }, key: Pkcs11Handle): void {
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

  C_DestroyObject(_session: Pkcs11Handle, object: Pkcs11Handle): void {
    this.#objects = this.#objects.filter(({ handle }) => handle !== object);
  }

  #of(handle: Pkcs11Handle): Stored {
    const found = this.#objects.find((each) => each.handle === handle);
    if (found === undefined) throw new RangeError('CKR_OBJECT_HANDLE_INVALID');
    return found;
  }
}
