import { HoldfastError } from '@holdfast/kernel';

/** A private key in a token, by the attributes that RFC 7512 names. */
export interface Pkcs11Reference {
  readonly kind: 'pkcs11';
  readonly token?: string;
  readonly serial?: string;
  readonly object?: string;
  readonly id?: Uint8Array;
}

/** A key of AWS KMS. */
export interface KmsReference {
  readonly kind: 'kms';
  /** ARN, alias or id. */
  readonly keyId: string;
  /** Undefined to let the environment say. */
  readonly region: string | undefined;
  /** Undefined for Amazon's own. */
  readonly endpoint: string | undefined;
}

export type KeyReference = Pkcs11Reference | KmsReference;

const MAX_LENGTH = 1024;
// RFC 7512 2.3: pk11-pchar without percent signs.
const PLAIN = /^[A-Za-z0-9\-._~:[\]@!$'()*+,=&]*$/;
const ESCAPE = /%([0-9A-Fa-f]{2})/g;
const KMS_ARN = /^arn:aws[a-z-]{0,16}:kms:([a-z0-9-]{1,64}):\d{12}:(?:key|alias)\/[A-Za-z0-9:/_-]{1,256}$/;
const KMS_NAME = /^(?:alias\/[A-Za-z0-9:/_-]{1,256}|(?:mrk-)?[A-Fa-f0-9-]{32,36})$/;
const REGION = /^[a-z0-9-]{1,64}$/;
const KMS_OPTIONS: ReadonlySet<string> = new Set(['region', 'endpoint']);
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Reads `pkcs11:token=LABEL;object=LABEL` (RFC 7512: token, serial, object, id, type=private) or
 * `kms:ARN|alias/NAME|ID[?region=NAME&endpoint=URL]`.
 *
 * @throws `storage.bad_key_reference` with the part that cannot be used. A `pkcs11:` URI with a query is refused: a
 * `pin-value` would be stored and shown, a `module-path` would let whoever names a key choose what code runs.
 */
export function parseKeyReference(text: string): KeyReference {
  if (text.length > MAX_LENGTH) throw refused('length');
  if (text.startsWith('pkcs11:')) return parsePkcs11(text.slice('pkcs11:'.length));
  if (text.startsWith('kms:')) return parseKms(text.slice('kms:'.length));
  throw refused('scheme');
}

/**
 * A reference that came over the API: whoever names an endpoint would choose where the server sends requests that its
 * credentials signed.
 *
 * @throws `storage.bad_key_reference`
 */
export function givenOverNetwork(text: string): string {
  const reference = parseKeyReference(text);
  if (reference.kind === 'kms' && reference.endpoint !== undefined) throw refused('endpoint');
  return text;
}

function parsePkcs11(path: string): Pkcs11Reference {
  if (path.includes('?')) throw refused('query');
  const given = new Map<string, Uint8Array>();
  for (const part of path.split(';')) {
    const [, name = '', value = ''] = /^([a-z-]+)=(.*)$/s.exec(part) ?? [];
    if (given.has(name)) throw refused('repeated');
    given.set(name, unescape(value));
  }
  const { type, id, ...found } = Object.fromEntries(given);
  if (type !== undefined && textOf(type) !== 'private') throw refused('type');
  const { token, serial, object, ...unknown } = found;
  if (Object.keys(unknown).length > 0) throw refused('attribute');
  if (token === undefined && serial === undefined) throw refused('token');
  if (object === undefined && id === undefined) throw refused('object');
  return {
    kind: 'pkcs11',
    ...(token === undefined ? {} : { token: textOf(token) }),
    ...(serial === undefined ? {} : { serial: textOf(serial) }),
    ...(object === undefined ? {} : { object: textOf(object) }),
    ...(id === undefined ? {} : { id }),
  };
}

function unescape(value: string): Uint8Array {
  if (value === '' || !PLAIN.test(value.replace(ESCAPE, ''))) throw refused('value');
  return new Uint8Array(
    Buffer.from(
      value.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    ),
  );
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refused('value');
  }
}

function parseKms(text: string): KmsReference {
  const [keyId = '', query, ...more] = text.split('?');
  if (more.length > 0) throw refused('option');
  const arn = KMS_ARN.exec(keyId);
  if (arn === null && !KMS_NAME.test(keyId)) throw refused('key');
  const options = new URLSearchParams(query ?? '');
  for (const name of options.keys()) {
    if (!KMS_OPTIONS.has(name) || options.getAll(name).length > 1) throw refused('option');
  }
  const region = options.get('region') ?? arn?.[1];
  if (region !== undefined && !REGION.test(region)) throw refused('region');
  if (arn !== null && region !== arn[1]) throw refused('region');
  return { kind: 'kms', keyId, region, endpoint: endpointOf(options.get('endpoint')) };
}

/** Requests are signed, yet what crosses a network in clear could be answered by anybody. */
function endpointOf(text: string | null): string | undefined {
  if (text === null) return undefined;
  const url = URL.parse(text);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname));
  if (url === null || !isSafe || url.username !== '' || url.password !== '') throw refused('endpoint');
  return url.href;
}

function refused(part: string): HoldfastError {
  return new HoldfastError('storage.bad_key_reference', { part });
}
