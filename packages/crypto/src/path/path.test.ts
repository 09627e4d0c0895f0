import { describe, expect, it } from 'vitest';
import { systemRandom } from '@holdfast/kernel';
import { encodeOctetString } from '@holdfast/wire/asn1';
import {
  type Certificate,
  decodeCertificate,
  decodeCrl,
  encodeAlgorithm,
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeCertificatePolicies,
  encodeExtension,
  encodeExtKeyUsage,
  encodeGeneralNames,
  encodeKeyUsage,
  encodeName,
  encodeNameConstraints,
  encodeRevokedEntry,
  encodeSigned,
  encodeSubjectKeyIdentifier,
  encodeTbsCertificate,
  type GeneralName,
  OID,
} from '@holdfast/wire/x509';
import {
  createSigner,
  encodeSignatureAlgorithm,
  generatePrivateKey,
  issueCrl,
  newSerial,
  type PathInput,
  type PrivateKey,
  revocationStatus,
  subjectKeyIdentifier,
  validatePath,
  verifySignature,
} from '../index.ts';

const NOW = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;
const DATES = { notBefore: NOW - DAY, notAfter: NOW + DAY };
const keys = await Promise.all(Array.from({ length: 6 }, () => generatePrivateKey('P-256')));

interface Spec {
  readonly name: string;
  readonly key: PrivateKey;
  readonly ca?: boolean;
  readonly pathLen?: number;
  readonly usage?: readonly ('keyCertSign' | 'cRLSign' | 'digitalSignature')[];
  readonly purposes?: readonly string[];
  readonly san?: readonly GeneralName[];
  readonly permitted?: readonly GeneralName[];
  readonly excluded?: readonly GeneralName[];
  readonly dates?: { readonly notBefore: number; readonly notAfter: number };
  readonly serial?: Uint8Array;
  readonly extra?: readonly Uint8Array[];
  readonly drop?: readonly string[];
  readonly innerAlgorithm?: Uint8Array;
  readonly criticalBasic?: boolean;
}

const nameOf = (name: string) => encodeName([{ type: 'commonName', value: name }]);
const dns = (text: string): GeneralName => ({ kind: 'dns', text });

/** A certificate with any fault one asks for; `issuer` is its name and key. */
async function make(
  spec: Spec,
  issuer: { readonly name: string; readonly key: PrivateKey } = spec,
): Promise<Certificate> {
  const { ca = false, key, permitted = [], excluded = [], drop = [] } = spec;
  const signer = createSigner(issuer.key);
  const algorithm = encodeSignatureAlgorithm(signer.algorithm);
  const id = (holder: PrivateKey) => subjectKeyIdentifier(holder.publicKey.spki.subarray(-65));
  const all: readonly (readonly [string, boolean, Uint8Array])[] = [
    [OID.basicConstraints, spec.criticalBasic ?? ca, encodeBasicConstraints({ ca, pathLen: spec.pathLen })],
    [OID.keyUsage, true, encodeKeyUsage(spec.usage ?? (ca ? ['keyCertSign', 'cRLSign'] : ['digitalSignature']))],
    [OID.subjectKeyIdentifier, false, encodeSubjectKeyIdentifier(id(key))],
    [OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier(id(issuer.key))],
    ...(spec.purposes === undefined ? [] : [[OID.extKeyUsage, false, encodeExtKeyUsage(spec.purposes)] as const]),
    ...(spec.san === undefined ? [] : [[OID.subjectAltName, false, encodeGeneralNames(spec.san)] as const]),
    ...(permitted.length + excluded.length === 0
      ? []
      : [[OID.nameConstraints, true, encodeNameConstraints({ permitted, excluded })] as const]),
  ];
  const tbs = encodeTbsCertificate({
    serial: spec.serial ?? newSerial(systemRandom),
    algorithm: spec.innerAlgorithm ?? algorithm,
    issuer: nameOf(issuer.name),
    validity: spec.dates ?? DATES,
    subject: nameOf(spec.name),
    spki: key.publicKey.spki,
    extensions: [
      ...all
        .filter(([oid]) => !drop.includes(oid))
        .map(([oid, critical, value]) => encodeExtension(oid, critical, value)),
      ...(spec.extra ?? []),
    ],
  });
  return decodeCertificate(encodeSigned(tbs, algorithm, await signer.sign(tbs)));
}

const key = (index: number) => keys[index % keys.length] as PrivateKey;
const ROOT = { name: 'root', key: key(0), ca: true };
const ISSUING = { name: 'issuing', key: key(1), ca: true, pathLen: 0 };
const DEVICE = { name: 'device', key: key(2), purposes: [OID.clientAuth], san: [dns('dev.example.com')] };

interface Fault {
  readonly root?: Partial<Spec>;
  readonly issuing?: Partial<Spec>;
  readonly device?: Partial<Spec>;
  readonly input?: Partial<PathInput>;
}

async function judge({ root, issuing, device, input }: Fault) {
  const [rootSpec, issuingSpec] = [
    { ...ROOT, ...root },
    { ...ISSUING, ...issuing },
  ];
  return validatePath({
    leaf: await make({ ...DEVICE, ...device }, issuingSpec),
    intermediates: [await make(issuingSpec, rootSpec)],
    anchors: [await make(rootSpec)],
    now: NOW,
    purpose: OID.clientAuth,
    ...input,
  });
}

const unknown = encodeExtension('1.2.3.4', true, encodeOctetString(new Uint8Array(1)));

describe('certification paths', () => {
  it('from leaf over the issuing authority to the anchor are valid', async () => {
    const verdict = await judge({});
    expect(verdict.kind === 'valid' && verdict.path.length).toBe(3);
  });

  it('may hold a critical extension the caller reads itself', async () => {
    expect((await judge({ device: { extra: [unknown] }, input: { understoodExtensions: ['1.2.3.4'] } })).kind).toBe(
      'valid',
    );
  });

  it('of layers without a clock are judged without dates', async () => {
    const past = { notBefore: 0, notAfter: 1000 };
    expect((await judge({ device: { dates: past }, input: { now: undefined } })).kind).toBe('valid');
  });

  it.each<[string, Fault, string]>([
    ['a leaf signed by another key', { device: {}, input: { intermediates: [] } }, 'no-path'],
    ['an expired leaf', { device: { dates: { notBefore: 0, notAfter: NOW - 1000 } } }, 'validity'],
    ['an expired issuer', { issuing: { dates: { notBefore: 0, notAfter: NOW - 1000 } } }, 'validity'],
    ['an anchor not yet valid', { root: { dates: { notBefore: NOW + 1000, notAfter: NOW + DAY } } }, 'validity'],
    [
      'a leaf in the place of an authority',
      { issuing: { ca: false, usage: ['digitalSignature'] } },
      'not-an-authority',
    ],
    ['an authority that may not sign', { issuing: { usage: ['cRLSign'] } }, 'not-an-authority'],
    ['keyCertSign without authority', { device: { usage: ['keyCertSign'] } }, 'key-usage'],
    ['a path length on a leaf', { device: { pathLen: 1, drop: [OID.keyUsage] } }, 'path-length-without-authority'],
    ['basic constraints not critical', { issuing: { criticalBasic: false } }, 'criticality'],
    ['an unknown critical extension in the leaf', { device: { extra: [unknown] } }, 'unknown-critical-extension'],
    ['an unknown critical extension in the anchor', { root: { extra: [unknown] } }, 'unknown-critical-extension'],
    ['no subject key identifier', { issuing: { drop: [OID.subjectKeyIdentifier] } }, 'subject-key-identifier'],
    ['no authority key identifier', { device: { drop: [OID.authorityKeyIdentifier] } }, 'authority-key-identifier'],
    [
      'two signature algorithms',
      { device: { innerAlgorithm: encodeAlgorithm(OID.ecdsaWithSha384) } },
      'algorithm-mismatch',
    ],
    ['a serial over 20 octets', { device: { serial: new Uint8Array(21).fill(1) } }, 'serial'],
    ['serial zero', { device: { serial: Uint8Array.of(0) } }, 'serial'],
    ['a purpose it is not for', { device: { purposes: [OID.serverAuth] } }, 'purpose'],
    ['an authority limited to another purpose', { issuing: { purposes: [OID.emailProtection] } }, 'purpose'],
    ['a name that was not asked for', { input: { peerNames: [{ kind: 'dns', text: 'x.example.com' }] } }, 'peer-name'],
    ['name constraints in a leaf', { device: { permitted: [dns('example.com')] } }, 'name-constraints-in-leaf'],
    ['too many authorities', { input: { maxIntermediates: 0 } }, 'depth'],
    [
      'a policy nobody gave',
      {
        issuing: { extra: [encodeExtension(OID.policyConstraints, true, Uint8Array.of(0x30, 3, 0x80, 1, 0))] },
        device: { extra: [encodeExtension(OID.certificatePolicies, false, encodeCertificatePolicies(['1.2.3']))] },
      },
      'policy',
    ],
  ])('are refused for %s', async (_name, fault, reason) => {
    expect(await judge(fault)).toEqual({ kind: 'invalid', reason });
  });

  it('are refused when the issuer has the right name and another key', async () => {
    const leaf = await make(DEVICE, { name: 'issuing', key: key(3) });
    const verdict = validatePath({
      leaf,
      intermediates: [await make(ISSUING, ROOT)],
      anchors: [await make(ROOT)],
      now: NOW,
    });
    expect(verdict).toEqual({ kind: 'invalid', reason: 'signature' });
  });

  it('count authorities against the path length, save self-issued ones', async () => {
    const below = { name: 'below', key: key(3), ca: true };
    const anchors = [await make(ROOT)];
    const issuing = await make(ISSUING, ROOT);
    const leaf = await make(DEVICE, below);
    const tooLong = { leaf, intermediates: [issuing, await make(below, ISSUING)], anchors, now: NOW };
    expect(validatePath(tooLong)).toEqual({ kind: 'invalid', reason: 'path-length' });
    const rolled = { ...ISSUING, key: key(4) };
    const rollover = {
      leaf: await make(DEVICE, rolled),
      intermediates: [issuing, await make(rolled, ISSUING)],
      anchors,
      now: NOW,
    };
    expect(validatePath(rollover).kind).toBe('valid');
  });

  it('are found although a dead end of the same name comes first', async () => {
    const dead = await make({ ...ISSUING, dates: { notBefore: 0, notAfter: 1000 } }, ROOT);
    const foreign = await make({ ...ISSUING, key: key(5) }, { name: 'nowhere', key: key(5) });
    const intermediates = [foreign, dead, await make(ISSUING, ROOT)];
    const input = { leaf: await make(DEVICE, ISSUING), intermediates, anchors: [await make(ROOT)], now: NOW };
    expect(validatePath(input).kind).toBe('valid');
  });

  it('end in a refusal within the budget whatever the bag of authorities', async () => {
    const bag = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        make({ name: 'same', key: key(n % 6), ca: true }, { name: 'same', key: key((n + 1 + Math.floor(n / 6)) % 6) }),
      ),
    );
    const leaf = await make(DEVICE, { name: 'same', key: key(0) });
    const verdict = validatePath({ leaf, intermediates: bag, anchors: [await make(ROOT)], now: NOW });
    expect(verdict.kind).toBe('invalid');
  });
});

describe('name constraints', () => {
  const email = (text: string): GeneralName => ({ kind: 'email', text });
  const uri = (text: string): GeneralName => ({ kind: 'uri', text });
  const ip = (...octets: readonly number[]): GeneralName => ({ kind: 'ip', bytes: Uint8Array.from(octets) });
  const NET = ip(192, 0, 2, 0, 255, 255, 255, 0);
  const other: GeneralName = { kind: 'other', type: '1.2.3', value: Uint8Array.of(5, 0) };

  it.each<[string, GeneralName, GeneralName, boolean]>([
    ['a host below the tree', dns('example.com'), dns('a.b.example.com'), true],
    ['the tree itself, in other case', dns('Example.COM'), dns('example.com'), true],
    ['a name that merely ends alike', dns('example.com'), dns('notexample.com'), false],
    ['an asterisk wider than the tree', dns('foo.example.com'), dns('*.example.com'), false],
    ['an asterisk inside the tree', dns('example.com'), dns('*.example.com'), true],
    ['every name under the empty tree', dns(''), dns('example.com'), true],
    ['a mailbox on the host', email('example.com'), email('a@example.com'), true],
    ['a mailbox on a host below', email('example.com'), email('a@b.example.com'), false],
    ['a mailbox below a dotted domain', email('.example.com'), email('a@b.example.com'), true],
    ['the very mailbox', email('a@example.com'), email('a@EXAMPLE.com'), true],
    ['another local part', email('a@example.com'), email('A@example.com'), false],
    ['a URI on the host', uri('example.com'), uri('https://u@example.com:1/x'), true],
    ['a URI below a dotted domain', uri('.example.com'), uri('https://a.example.com'), true],
    ['a URI whose user looks like the host', uri('example.com'), uri('https://example.com@evil.test/'), false],
    ['a URI without a host', uri('example.com'), uri('urn:x:y'), false],
    ['an address in the net', NET, ip(192, 0, 2, 7), true],
    ['an address outside the net', NET, ip(192, 0, 3, 7), false],
  ])('permit %s as RFC 5280 says', async (_name, constraint, name, isInside) => {
    const verdict = await judge({ issuing: { permitted: [constraint] }, device: { san: [name] } });
    expect(verdict).toEqual(
      isInside ? expect.objectContaining({ kind: 'valid' }) : { kind: 'invalid', reason: 'not-permitted' },
    );
  });

  it.each<[string, GeneralName, GeneralName]>([
    ['a host below', dns('example.com'), dns('a.example.com')],
    ['an asterisk that may mean the excluded name', dns('foo.example.com'), dns('*.example.com')],
    ['a URI whose host cannot be told', uri('example.com'), uri('https://[::1]/')],
    ['an address in the net', NET, ip(192, 0, 2, 1)],
  ])('exclude %s', async (_name, constraint, name) => {
    const verdict = await judge({ root: { excluded: [constraint] }, device: { san: [name] } });
    expect(verdict).toEqual({ kind: 'invalid', reason: 'excluded' });
  });

  it.each<[string, GeneralName]>([
    ['a leading dot', dns('.example.com')],
    ['an asterisk', dns('*.example.com')],
    ['an address without mask', ip(127, 0, 0, 1)],
    ['a mask with holes', ip(10, 0, 0, 0, 255, 0, 255, 0)],
    ['two at signs', email('a@b@example.com')],
  ])('with %s are refused', async (_name, constraint) => {
    expect(await judge({ issuing: { permitted: [constraint] } })).toEqual({
      kind: 'invalid',
      reason: 'constraint-form',
    });
  });

  it('on a kind we do not know refuse a name of that kind and no other', async () => {
    expect(await judge({ issuing: { excluded: [other] }, device: { san: [other] } })).toEqual({
      kind: 'invalid',
      reason: 'name-form',
    });
    expect((await judge({ issuing: { excluded: [other] } })).kind).toBe('valid');
  });

  it('apply to the subject as a directory name', async () => {
    const directory = (name: string): GeneralName => ({ kind: 'directory', name: { raw: nameOf(name), rdns: [] } });
    expect(await judge({ root: { excluded: [directory('device')] } })).toEqual({ kind: 'invalid', reason: 'excluded' });
  });

  it('times names that would take quadratic time end in a refusal', async () => {
    const many = Array.from({ length: 400 }, (_, n) => dns(`n${n}.example.com`));
    expect(await judge({ issuing: { permitted: many }, device: { san: many } })).toEqual({
      kind: 'invalid',
      reason: 'budget',
    });
  });
});

describe('revocation lists in a path', () => {
  const rootSigner = createSigner(ROOT.key);
  const list = async (issuer: Certificate, change: object = {}) =>
    decodeCrl(
      await issueCrl(
        { issuer, thisUpdate: NOW - DAY, nextUpdate: NOW + DAY, entries: [], crlNumber: 5n, ...change },
        rootSigner,
      ),
    );

  it('decide by the newest base and its delta, and only lists that cover the certificate count', async () => {
    const issuer = await make(ROOT);
    const certificate = await make(DEVICE, ROOT);
    const serial = certificate.serialBytes;
    const status = (...lists: Awaited<ReturnType<typeof list>>[]) =>
      revocationStatus({ certificate, issuer, lists, now: NOW }, (crl) =>
        verifySignature('ecdsa-p256-sha256', ROOT.key.publicKey, crl.tbs, crl.signature),
      );
    const held = { entries: [encodeRevokedEntry(serial, NOW, 'certificateHold')] };
    const freed = { entries: [encodeRevokedEntry(serial, NOW, 'removeFromCRL')], crlNumber: 6n, baseCrlNumber: 5n };
    expect(status()).toBe('no-list');
    expect(status(await list(issuer))).toBe('good');
    expect(status(await list(issuer, held))).toBe('revoked');
    expect(status(await list(issuer), await list(issuer, { ...held, crlNumber: 6n }))).toBe('revoked');
    expect(status(await list(issuer, held), await list(issuer, freed))).toBe('good');
    expect(status(await list(issuer, held), await list(issuer, { ...freed, baseCrlNumber: 6n, crlNumber: 7n }))).toBe(
      'revoked',
    );
    const undetermined = [
      { thisUpdate: NOW + 1000, nextUpdate: NOW + DAY },
      { thisUpdate: NOW - DAY, nextUpdate: NOW - 1000 },
      { shard: { uris: ['http://crl.test/2'], scope: 'user' } },
      { shard: { uris: [], scope: 'ca' } },
      {
        entries: [
          encodeRevokedEntry(Uint8Array.of(7), NOW, 'unspecified'),
          encodeRevokedEntry(Uint8Array.of(7), NOW, 'unspecified'),
        ],
      },
      { baseCrlNumber: 4n },
    ];
    for (const change of undetermined) expect(status(await list(issuer, change))).toBe('undetermined');
    const forged = revocationStatus({ certificate, issuer, lists: [await list(issuer)], now: NOW }, () => false);
    expect(forged).toBe('undetermined');
  });

  it('refuse a path whose certificate is revoked', async () => {
    const serial = newSerial(systemRandom);
    const crl = await list(await make(ROOT), { entries: [encodeRevokedEntry(serial, NOW, 'keyCompromise')] });
    expect(await judge({ issuing: { serial }, input: { crls: [crl] } })).toEqual({
      kind: 'invalid',
      reason: 'revoked',
    });
  });
});
