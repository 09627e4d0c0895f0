import { encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEvidenceNonce,
  decodeEvidenceReply,
  decodeFirmwareJob,
  decodeHealthReport,
  decodeHoldfastRejection,
  decodeRenewalReply,
  decodeTimeReply,
  encodeEvidenceNonce,
  encodeEvidenceReply,
  encodeFirmwareJob,
  encodeHealthReport,
  encodeHoldfastRejection,
  encodeRenewalReply,
  encodeTimeReply,
  HOLDFAST_REQUESTS,
  holdfastTopic,
  parseHoldfastTopic,
} from './index.ts';

const reply = { posture: 'proven', reasons: ['ok'], bootState: 'test', proceed: 'confirm' } as const;
const health = {
  firmwareVersion: '1.2.3',
  bootState: 'confirmed',
  bootCount: 4,
  maxSectorErases: 9,
  uptimeSeconds: 60,
  lastUpdateError: 'device.manifest_refused',
} as const;
const job = { manifest: { payload: 'AA==' }, streamName: 's-1', fileId: 0, url: 'https://h:8443/a', size: 9 };

const codecs = [
  {
    name: 'nonce',
    encoded: encodeEvidenceNonce({ nonce: new Uint8Array(32).fill(7), expiresInSeconds: 300 }),
    decode: decodeEvidenceNonce,
    value: { nonce: new Uint8Array(32).fill(7), expiresInSeconds: 300 },
  },
  { name: 'evidence reply', encoded: encodeEvidenceReply(reply), decode: decodeEvidenceReply, value: reply },
  {
    name: 'rejection',
    encoded: encodeHoldfastRejection({ code: 'a.b', message: 'no' }),
    decode: decodeHoldfastRejection,
    value: { code: 'a.b', message: 'no' },
  },
  { name: 'renewal', encoded: encodeRenewalReply({ renew: true }), decode: decodeRenewalReply, value: { renew: true } },
  { name: 'time', encoded: encodeTimeReply(1_800_000_000), decode: decodeTimeReply, value: 1_800_000_000 },
  { name: 'health', encoded: encodeHealthReport(health), decode: decodeHealthReport, value: health },
];

describe('reserved topics', () => {
  it('names each request of a thing and reads it back', () => {
    for (const request of HOLDFAST_REQUESTS) {
      expect(parseHoldfastTopic(holdfastTopic('dev-1', request))).toEqual({ thing: 'dev-1', request });
    }
  });

  it.each([
    '$holdfast/things/dev/evidence/accepted',
    '$holdfast/things//time',
    '$holdfast/things/dev',
    '$holdfast/things/dev/other',
    '$aws/things/dev/time',
    '',
  ])('does not take %j for a request', (topic) => {
    expect(parseHoldfastTopic(topic)).toBeUndefined();
  });
});

describe.each(codecs)('the $name message', ({ encoded, decode, value }) => {
  it('survives a round trip', () => {
    expect(decode(encoded)).toEqual(value);
  });

  it('refuses every truncation', () => {
    for (let length = 0; length < encoded.length; length++) {
      expect(() => decode(encoded.subarray(0, length))).toThrow(HoldfastError);
    }
  });

  it('gives a value or one coded error for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the firmware job document', () => {
  it('is read back from the document the server writes', () => {
    const document = encodeFirmwareJob(job, { filePath: '/', certificateFile: 'c', signature: 'MEUCIQ==' });
    expect(decodeFirmwareJob(document)).toEqual(job);
    expect(JSON.stringify(document)).toContain('"sig-sha256-ecdsa":"MEUCIQ=="');
  });

  it('is undefined for other jobs and refused with a wrong member', () => {
    expect(decodeFirmwareJob({ operation: 'reboot' })).toBeUndefined();
    for (const wrong of [
      { size: 0 },
      { size: '9' },
      { url: 'http://h/a' },
      { streamName: 'x'.repeat(45) },
      { fileId: 256 },
    ]) {
      expect(() => decodeFirmwareJob({ operation: 'firmware', holdfast: { ...job, ...wrong } })).toThrow(HoldfastError);
    }
  });

  it('refuses a nonce of 7 or 65 bytes', () => {
    for (const length of [7, 65]) {
      const payload = encodeEvidenceNonce({ nonce: new Uint8Array(length), expiresInSeconds: 1 });
      expect(() => decodeEvidenceNonce(payload)).toThrow(HoldfastError);
    }
    expect(() => decodeEvidenceNonce(encodeUtf8('{"nonce":"AAAAAAAAAAA=","expiresInSeconds":1}'))).toThrow(
      HoldfastError,
    );
  });
});
