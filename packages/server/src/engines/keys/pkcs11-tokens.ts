import {
  CK,
  findPkcs11Objects,
  type Pkcs11Attribute,
  type Pkcs11Handle,
  type Pkcs11Module,
  type Pkcs11Session,
  type Pkcs11SignOrder,
  readPkcs11PublicKey,
} from '@holdfast/crypto/pkcs11';
import type { Pkcs11Reference } from './key-reference.ts';

/** A token with a session each for what is asked of it at the same time. */
interface OpenToken {
  readonly slot: Pkcs11Handle;
  /** Holds the login: PKCS #11 3.0 5.6.8 logs out with the last session. */
  readonly first: Pkcs11Handle;
  readonly idle: Pkcs11Handle[];
  readonly keys: Map<string, Pkcs11Handle>;
}

/** What was wrong, as the module names it, or as we do: `absent` token, `no_key`, `ambiguous` key. */
class TokenFault extends Error {
  override readonly name = 'TokenFault';
}

/** What another login may mend: whatever else went wrong, would go wrong again. */
const STALE: ReadonlySet<string> = new Set([
  'CKR_SESSION_HANDLE_INVALID',
  'CKR_SESSION_CLOSED',
  'CKR_USER_NOT_LOGGED_IN',
  'CKR_DEVICE_REMOVED',
  'CKR_DEVICE_ERROR',
  'CKR_TOKEN_NOT_PRESENT',
  'CKR_TOKEN_NOT_RECOGNIZED',
  'CKR_KEY_HANDLE_INVALID',
  'CKR_OBJECT_HANDLE_INVALID',
]);

/**
 * Private keys of the tokens that one module reaches, each found by the attributes of its reference.
 *
 * A session that went stale is opened and logged in once more before a failure is told.
 */
export class Pkcs11Tokens {
  readonly #module: Pkcs11Module;
  readonly #pin: string;
  readonly #open = new Map<string, OpenToken>();

  /** @param module - loaded and initialized */
  constructor(module: Pkcs11Module, pin: string) {
    this.#module = module;
    this.#pin = pin;
  }

  /** SubjectPublicKeyInfo, DER. @throws `TokenFault`, `crypto.unsupported_algorithm`, or what the module throws */
  describe(reference: Pkcs11Reference): Promise<Uint8Array<ArrayBuffer>> {
    return this.#afresh(reference, async (token) => {
      this.#privateKey(token, reference);
      const at = { module: this.#module, session: token.first };
      return readPkcs11PublicKey(at, only(at, CK.classPublic, reference));
    });
  }

  /** The signature as the token gives it. @throws `TokenFault` or what the module throws */
  sign(reference: Pkcs11Reference, { mechanism, data, room }: Pkcs11SignOrder): Promise<Uint8Array> {
    return this.#afresh(reference, async (token) => {
      const key = this.#privateKey(token, reference);
      const session = token.idle.pop() ?? this.#module.C_OpenSession(token.slot, CK.sessionReadOnly);
      this.#module.C_SignInit(session, mechanism, key);
      const signature = await this.#module.C_SignAsync(session, Buffer.from(data), Buffer.alloc(room));
      token.idle.push(session);
      return signature;
    });
  }

  async #afresh<Result>(reference: Pkcs11Reference, work: (token: OpenToken) => Promise<Result>): Promise<Result> {
    const name = JSON.stringify([reference.token, reference.serial]);
    const token = this.#open.get(name) ?? this.#login(name, reference);
    try {
      return await work(token);
    } catch (error) {
      if (!STALE.has(faultOf(error))) throw error;
      // Whoever came first has a new login already.
      if (this.#open.get(name) === token) this.#open.delete(name);
      return await work(this.#open.get(name) ?? this.#login(name, reference));
    }
  }

  #login(name: string, reference: Pkcs11Reference): OpenToken {
    const module = this.#module;
    const slots = module.C_GetSlotList(true).filter((slot) => fits(module.C_GetTokenInfo(slot), reference));
    const [slot] = slots;
    if (slot === undefined) throw new TokenFault('absent');
    if (slots.length > 1) throw new TokenFault('ambiguous');
    const first = module.C_OpenSession(slot, CK.sessionReadOnly);
    try {
      module.C_Login(first, CK.userLogin, this.#pin);
    } catch (error) {
      if (faultOf(error) !== 'CKR_USER_ALREADY_LOGGED_IN') throw error;
    }
    const token = { slot, first, idle: [], keys: new Map<string, Pkcs11Handle>() };
    this.#open.set(name, token);
    return token;
  }

  #privateKey({ first, keys }: OpenToken, reference: Pkcs11Reference): Pkcs11Handle {
    const name = JSON.stringify([reference.object, reference.id && [...reference.id]]);
    const known = keys.get(name);
    if (known !== undefined) return known;
    const key = only({ module: this.#module, session: first }, CK.classPrivate, reference);
    keys.set(name, key);
    return key;
  }
}

function only(at: Pkcs11Session, objectClass: number, { object, id }: Pkcs11Reference): Pkcs11Handle {
  const template: readonly Pkcs11Attribute[] = [
    { type: CK.class, value: objectClass },
    ...(object === undefined ? [] : [{ type: CK.label, value: object }]),
    ...(id === undefined ? [] : [{ type: CK.id, value: Buffer.from(id) }]),
  ];
  const [found, another] = findPkcs11Objects(at, template);
  if (found === undefined) throw new TokenFault('no_key');
  if (another !== undefined) throw new TokenFault('ambiguous');
  return found;
}

function fits(info: { readonly label: string; readonly serialNumber: string }, { token, serial }: Pkcs11Reference) {
  const isLabel = token === undefined || info.label.trimEnd() === token;
  return isLabel && (serial === undefined || info.serialNumber.trimEnd() === serial);
}

/** CKR_… where the module said so. Its words beyond that may hold what was given to it. */
export function faultOf(error: unknown): string {
  if (error instanceof TokenFault) return error.message;
  return (error instanceof Error && /\bCKR_[A-Z0-9_]+/.exec(error.message)?.[0]) || 'unknown';
}
