import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { decodeDsseEnvelope, encodeDsseEnvelope, encodePae } from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });

describe('DSSE', () => {
  it('encodes what is signed as the specification shows', () => {
    // secure-systems-lab/dsse, protocol.md, "Test Vectors".
    const pae = encodePae('http://example.com/HelloWorld', encodeUtf8('hello world'));
    expect(decodeUtf8(pae)).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  });

  it('comes back for any envelope', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), fc.uint8Array(), (payloadType, payload, signature) => {
        const envelope = { payloadType, payload, signatures: [{ keyId: 'a', signature }] };
        expect(decodeDsseEnvelope(encodeDsseEnvelope(envelope))).toEqual(envelope);
      }),
      { numRuns: 50 },
    );
  });

  it('refuses every prefix', () => {
    const bytes = encodeDsseEnvelope({
      payloadType: 't',
      payload: encodeUtf8('p'),
      signatures: [{ keyId: 'k', signature: encodeUtf8('s') }],
    });
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeDsseEnvelope(bytes.subarray(0, length))).toThrowError(HoldfastError);
    }
  });

  it.each([
    [
      'a doubled payload',
      '{"payload":"AA==","payload":"AQ==","payloadType":"t","signatures":[{"sig":""}]}',
      'wire.duplicate',
    ],
    ['a member of its own', '{"payload":"AA==","payloadType":"t","signatures":[{"sig":""}],"x":1}', 'wire.malformed'],
    ['no signature', '{"payload":"AA==","payloadType":"t","signatures":[]}', 'wire.malformed'],
    ['loose base64', '{"payload":"AB==","payloadType":"t","signatures":[{"sig":""}]}', 'wire.malformed'],
    ['another type', '[]', 'wire.malformed'],
    [
      'a signature without value',
      '{"payload":"AA==","payloadType":"t","signatures":[{"keyid":"a"}]}',
      'wire.malformed',
    ],
  ])('refuses an envelope with %s', (_name, json, code) => {
    expect(() => decodeDsseEnvelope(encodeUtf8(json))).toThrowError(coded(code));
  });
});
