import { decodeHex, encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeAwsPayload,
  decodeCertificateReply,
  decodeJobsMessage,
  decodeProvisioningRejection,
  decodeRegisterThingReply,
  decodeStreamData,
  decodeStreamDescription,
  decodeStreamRejection,
  encodeAwsPayload,
  encodeJobsMessage,
  encodeProvisioning,
  encodeStreamData,
  encodeStreamDescription,
  encodeStreamGet,
  encodeStreamRejection,
  type JobsMessages,
  readCreateFromCsr,
  readRegisterThing,
  readStreamDescribe,
  readStreamGet,
} from './index.ts';

/** The request of the AWS IoT Core MQTT file streams library for C, as captured. */
const CAPTURED_GET = 'a6616363726479616600616c191000616f026162444d513d3d616e01';

const execution = {
  jobId: 'job-1',
  thingName: 'lamp-1',
  status: 'IN_PROGRESS',
  statusDetails: { receive: '1/5' },
  queuedAt: 1_700_000_000,
  startedAt: 1_700_000_001,
  lastUpdatedAt: 1_700_000_002,
  versionNumber: 2,
  executionNumber: 1,
  jobDocument: { operation: 'reboot' },
  approximateSecondsBeforeTimedOut: 60,
} as const;

const summary = {
  jobId: 'job-1',
  queuedAt: 1_700_000_000,
  startedAt: undefined,
  lastUpdatedAt: 1_700_000_000,
  versionNumber: 1,
  executionNumber: 1,
};

const state = { status: 'QUEUED', statusDetails: undefined, versionNumber: 1 } as const;

const jobs: JobsMessages = {
  pendingRequest: { clientToken: '3:lamp-1' },
  startNextRequest: { statusDetails: { step: 'a' }, stepTimeoutInMinutes: 5, clientToken: 't' },
  describeRequest: { executionNumber: 1, includeJobDocument: false, clientToken: 't' },
  updateRequest: {
    status: 'SUCCEEDED',
    statusDetails: {},
    expectedVersion: 2,
    executionNumber: 1,
    includeJobExecutionState: true,
    includeJobDocument: true,
    stepTimeoutInMinutes: -1,
    clientToken: 't',
  },
  pendingReply: { inProgressJobs: [summary], queuedJobs: [], timestamp: 1, clientToken: undefined },
  executionReply: { execution: { ...execution }, timestamp: 1, clientToken: 't' },
  updateReply: { executionState: state, jobDocument: { a: [1] }, timestamp: 1, clientToken: 't' },
  notify: { jobs: { QUEUED: [summary], IN_PROGRESS: undefined }, timestamp: 1 },
  rejection: { code: 'VersionMismatch', message: 'm', executionState: state, timestamp: 1, clientToken: 't' },
};

const certificate = {
  certificateId: 'a'.repeat(64),
  certificatePem: '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n',
  privateKey: undefined,
  certificateOwnershipToken: 'token',
};
const registered = { deviceConfiguration: { region: 'x' }, thingName: 'lamp-1' };
const refused = { statusCode: 400, errorCode: 'InvalidCertificateOwnershipToken', errorMessage: 'no' };
const csr = { certificateSigningRequest: '-----BEGIN CERTIFICATE REQUEST-----\n' };
const register = { certificateOwnershipToken: 'token', parameters: { SerialNumber: '7' } };
const get = { c: 'rdy', s: 1, f: 0, l: 4096, o: 2, n: 1, b: Uint8Array.of(0x1f) };
const description = { c: undefined, s: 1, d: 'lamp 2.0', r: [{ f: 0, z: 131_072 }] };
const data = { c: 'rdy', f: 0, l: 3, i: 7, p: Uint8Array.of(0xff, 0xef, 0xbe) };
const streamRefusal = { o: 'ResourceNotFound', m: 'no such stream', c: undefined } as const;

interface Codec {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly value: unknown;
  readonly decode: (bytes: Uint8Array) => unknown;
  /** An empty payload is a whole message when every member may be absent. */
  readonly emptyIsWhole: boolean;
}

const jobsCodecs: readonly Codec[] = (Object.keys(jobs) as (keyof JobsMessages)[]).map((name) => ({
  name: `jobs ${name}`,
  bytes: encodeJobsMessage(name, jobs[name] as never),
  value: jobs[name],
  decode: (bytes) => decodeJobsMessage(name, bytes),
  emptyIsWhole: ['pendingRequest', 'startNextRequest', 'describeRequest'].includes(name),
}));

const bothFormats: readonly Codec[] = (['json', 'cbor'] as const).flatMap((format) => {
  const rows: readonly (readonly [string, Uint8Array, unknown, (bytes: Uint8Array) => unknown])[] = [
    ['csr', encodeProvisioning(format, csr), csr, (b) => readCreateFromCsr(decodeAwsPayload(format, b))],
    ['register', encodeProvisioning(format, register), register, (b) => readRegisterThing(decodeAwsPayload(format, b))],
    ['certificate', encodeProvisioning(format, certificate), certificate, (b) => decodeCertificateReply(format, b)],
    ['registered', encodeProvisioning(format, registered), registered, (b) => decodeRegisterThingReply(format, b)],
    ['refused', encodeProvisioning(format, refused), refused, (b) => decodeProvisioningRejection(format, b)],
    ['get', encodeStreamGet(format, get), get, (b) => readStreamGet(decodeAwsPayload(format, b))],
    [
      'description',
      encodeStreamDescription(format, description),
      description,
      (b) => decodeStreamDescription(format, b),
    ],
    ['data', encodeStreamData(format, data), data, (b) => decodeStreamData(format, b)],
    [
      'stream refusal',
      encodeStreamRejection(format, streamRefusal),
      streamRefusal,
      (b) => decodeStreamRejection(format, b),
    ],
  ];
  return rows.map(([name, bytes, value, decode]) => ({
    name: `${format} ${name}`,
    bytes,
    value,
    decode,
    emptyIsWhole: false,
  }));
});

describe.each([...jobsCodecs, ...bothFormats])('the $name message', ({ bytes, value, decode, emptyIsWhole }) => {
  it('survives a round trip', () => {
    expect(decode(bytes)).toEqual(value);
  });

  it('refuses every truncation', () => {
    for (let length = emptyIsWhole ? 1 : 0; length < bytes.length; length++) {
      expect(() => decode(bytes.subarray(0, length))).toThrow(HoldfastError);
    }
  });

  it('gives a value or one coded error for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 48 }), (input) => {
        try {
          decode(input);
        } catch (error) {
          expect(HoldfastError.is(error, 'wire.malformed')).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('payloads as stock clients send them', () => {
  it('reads the captured CBOR request and takes its fixed bitmap as none', () => {
    const members = decodeAwsPayload('cbor', decodeHex(CAPTURED_GET));
    expect(readStreamGet(members)).toEqual({ c: 'rdy', s: undefined, f: 0, l: 4096, o: 2, n: 1, b: undefined });
  });

  it('writes the captured CBOR request byte for byte', () => {
    const b = encodeUtf8('MQ==');
    expect(encodeHex(encodeAwsPayload('cbor', { c: 'rdy', f: 0, l: 4096, o: 2, b, n: 1 }))).toBe(
      'a66162444d513d3d616363726479616600616c191000616e01616f02',
    );
  });

  it('takes an empty payload for no members, in both encodings', () => {
    expect(readStreamDescribe(decodeAwsPayload('cbor', new Uint8Array(0)))).toEqual({ c: undefined });
    expect(decodeJobsMessage('pendingRequest', new Uint8Array(0))).toEqual({ clientToken: undefined });
  });

  it('drops a trailing NUL after JSON', () => {
    expect(decodeJobsMessage('pendingRequest', encodeUtf8('{"clientToken":"a"}\0')).clientToken).toBe('a');
  });

  it('reads the quoted expectedVersion of the AWS Jobs library for C', () => {
    const request = decodeJobsMessage('updateRequest', encodeUtf8('{"status":"FAILED","expectedVersion":"2"}'));
    expect(request.expectedVersion).toBe(2);
  });

  it('ignores members it does not know', () => {
    const request = decodeJobsMessage('updateRequest', encodeUtf8('{"status":"FAILED","jobId":"x","thingName":"y"}'));
    expect(request.status).toBe('FAILED');
  });

  it('leaves out what is undefined and keeps a slash unescaped', () => {
    const encoded = encodeJobsMessage('executionReply', { timestamp: 1, clientToken: 'a/b' });
    expect(new TextDecoder().decode(encoded)).toBe('{"timestamp":1,"clientToken":"a/b"}');
  });

  it('writes CBOR numbers as integers, bytes as a byte string and the map with definite length', () => {
    expect(encodeHex(encodeStreamData('cbor', { c: undefined, f: 0, l: 2, i: 300, p: Uint8Array.of(1, 2) }))).toBe(
      'a4616600616919012c616c026170420102',
    );
  });

  it('gives both spellings of a stream refusal', () => {
    expect(decodeAwsPayload('json', encodeStreamRejection('json', streamRefusal))).toEqual(
      new Map([
        ['o', 'ResourceNotFound'],
        ['m', 'no such stream'],
        ['code', 'ResourceNotFound'],
        ['message', 'no such stream'],
      ]),
    );
  });
});

describe('payloads that are refused', () => {
  it.each([
    ['a doubled CBOR key', 'a26163613161636132'],
    ['a CBOR map with a number as key', 'a10101'],
    ['CBOR that is a list', '8101'],
    ['two CBOR values', 'a0a0'],
    ['a CBOR integer in a longer form than needed', 'a161661800'],
  ])('%s', (_title, hex) => {
    expect(() => decodeAwsPayload('cbor', decodeHex(hex))).toThrow(HoldfastError);
  });

  it('a CBOR nesting deep enough to exhaust a stack', () => {
    expect(() => decodeAwsPayload('cbor', new Uint8Array(131_072).fill(0x81))).toThrow(HoldfastError);
  });

  it.each([
    '{"status":"QUEUED"}',
    '{"status":"TIMED_OUT"}',
    '{}',
    '{"status":"FAILED","clientToken":7}',
    `{"status":"FAILED","clientToken":"${'é'.repeat(33)}"}`,
    '{"status":"FAILED","expectedVersion":"two"}',
    '{"status":"FAILED","expectedVersion":1.5}',
    '{"status":"FAILED","stepTimeoutInMinutes":0}',
    '{"status":"FAILED","stepTimeoutInMinutes":10081}',
    '{"status":"FAILED","stepTimeoutInMinutes":-2}',
    '{"status":"FAILED","statusDetails":{"a b":"c"}}',
    '{"status":"FAILED","statusDetails":{"a":1}}',
    '{"status":"FAILED","statusDetails":{"a":""}}',
    '{"status":"FAILED","statusDetails":{"a":"\\u0001"}}',
    `{"status":"FAILED","statusDetails":{"a":"${'x'.repeat(1025)}"}}`,
    `{"status":"FAILED","statusDetails":{${Array.from({ length: 65 }, (_, i) => `"k${i}":"v"`).join(',')}}}`,
    `{"status":"FAILED","statusDetails":{${Array.from({ length: 17 }, (_, i) => `"k${i}":"${'v'.repeat(1000)}"`).join(',')}}}`,
    '{"status":"FAILED","statusDetails":[]}',
    '{"status":"FAILED","includeJobDocument":"yes"}',
    '[]',
    '{',
  ])('an update of %s', (json) => {
    expect(() => decodeJobsMessage('updateRequest', encodeUtf8(json))).toThrow(HoldfastError);
  });
});
