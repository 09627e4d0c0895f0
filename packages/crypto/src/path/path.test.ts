import { describe, expect, it } from 'vitest';
import { encodeOctetString } from '@holdfast/wire/asn1';
import { encodeAlgorithm, encodeCertificatePolicies, encodeExtension, OID } from '@holdfast/wire/x509';
import { validatePath } from '../index.ts';
import { DAY, DEVICE, dns, type Fault, ISSUING, judge, key, make, NOW, ROOT } from './sample-paths.ts';

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
