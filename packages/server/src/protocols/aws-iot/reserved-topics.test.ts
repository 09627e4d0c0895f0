import { decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import type { EnrollmentContext, EnrollmentDoor } from '@holdfast/trust/identity';
import type { AttestationDoor, AttestationResult } from '@holdfast/trust/posture';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import {
  type AwsFormat,
  AWS_IOT_REQUESTS,
  decodeAwsPayload,
  decodeCertificateReply,
  decodeProvisioningRejection,
  decodeRegisterThingReply,
  encodeAwsPayload,
  encodeStreamGet,
  decodeStreamData,
  decodeStreamDescription,
  decodeStreamRejection,
} from '@holdfast/wire/aws-iot';
import {
  decodeEvidenceNonce,
  decodeEvidenceReply,
  decodeHoldfastRejection,
  decodeTimeReply,
  encodeHealthReport,
  HOLDFAST_REQUESTS,
  type HealthReport,
} from '@holdfast/wire/holdfast';
import { encodePem } from '@holdfast/wire/pem';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactAccess, FileStreams } from '@holdfast/trust/update';
import { deviceNamed, type FakeConnection, fakeConnection } from '../../testing/fake-connection.ts';
import { OPERATOR, openUpdateWorld, type UpdateWorld } from '../../testing/update-world.ts';
import { AwsIotTopics } from './index.ts';

const CLAIM: ClaimPrincipal = { kind: 'claim', tenant: 'default', claimId: 'claim-1', fingerprint: '11'.repeat(32) };
const IMAGE = Uint8Array.from({ length: 20_000 }, (_, at) => at & 0xff);

const refuse = (): never => {
  throw new Error('not asked here');
};

let world: UpdateWorld;
let topics: AwsIotTopics;
let lamp: FakeConnection;
let claim: FakeConnection;
let asked: unknown[];
let health: HealthReport[];
let verdict: AttestationResult | HoldfastError;
let enrollment: EnrollmentDoor;
let renewRights: (connectionId: string) => Promise<void>;

beforeEach(async () => {
  world = await openUpdateWorld();
  await world.addProduct();
  await world.addDevice('lamp');
  await world.addDevice('other');
  lamp = fakeConnection('lamp');
  renewRights = async () => undefined;
  claim = fakeConnection('claim');
  asked = [];
  health = [];
  const files = {
    open: () =>
      Promise.resolve({
        size: IMAGE.length,
        read: ({ start, end }: { start: number; end: number }) => Promise.resolve(IMAGE.subarray(start, end)),
        close: () => Promise.resolve(),
      }),
  };
  enrollment = {
    createCertificate: (principal, wish, context: EnrollmentContext) => {
      asked.push({ principal, wish, context });
      return Promise.resolve({
        certificateId: 'ab'.repeat(32),
        certificateDer: new Uint8Array(400),
        privateKeyPkcs8: 'serverKey' in wish ? new Uint8Array(138) : undefined,
        ownershipToken: 'x'.repeat(450),
      });
    },
    registerThing: (principal, wish, context) => {
      asked.push({ principal, wish, context });
      return Promise.resolve({ deviceId: 'lamp-7', deviceConfiguration: { region: 'here' } });
    },
    enrollDirect: () => Promise.reject(new Error('not asked here')),
    renew: () => Promise.reject(new Error('not asked here')),
  };
  const attestation: AttestationDoor = {
    challenge: () => Promise.resolve({ nonce: new Uint8Array(16).fill(7), expiresAt: world.clock.now() + 300_000 }),
    appraise: (principal, token) => {
      asked.push({ principal, token });
      return verdict instanceof HoldfastError ? Promise.reject(verdict) : Promise.resolve(verdict);
    },
  };
  topics = new AwsIotTopics({
    ratchet: { offer: async () => new Uint8Array(48), turn: async () => undefined },
    mustRenew: async () => false,
    clock: world.clock,
    enrollment: {
      ...enrollment,
      createCertificate: (...args) => enrollment.createCertificate(...args),
      registerThing: (...args) => enrollment.registerThing(...args),
    },
    attestation,
    jobs: world.jobs,
    streams: new FileStreams({ access: new ArtifactAccess({ ...world.repositories, files }) }),
    shadows: { get: refuse, update: refuse, delete: refuse } as never,
    publisher: { publish: refuse },
    peerOf: ({ connectionId }) => ({
      principal: connectionId.startsWith('claim') ? CLAIM : deviceNamed(connectionId),
      remoteAddress: '192.0.2.7',
    }),
    renewRights: async ({ connectionId }) => renewRights(connectionId),
    onHealth: (_device, report) => void health.push(report),
  });
});
afterEach(() => world.opened.close());

async function send(connection: FakeConnection, topic: string, payload: Uint8Array = new Uint8Array(0)) {
  await topics.publish(connection.asker, topic, payload);
  const reply = connection.replies.at(-1);
  if (reply === undefined) throw new Error('no reply');
  return reply;
}

const TOPICS: readonly string[] = [
  ...AWS_IOT_REQUESTS.map(({ topic }) => topic),
  ...HOLDFAST_REQUESTS.map((request) => `$holdfast/things/{thing}/${request}`),
];

const fill = (topic: string, thing: string) =>
  topic
    .replace('{thing}', thing)
    .replace('{format}', 'json')
    .replace('{template}', 'lamp')
    .replace('{job}', 'j')
    .replace('{stream}', 's')
    .replace('{shadow}', 'n');

describe('the doors of the reserved topics', () => {
  it.each(TOPICS)('claims %s', (topic) => {
    expect(topics.claims(fill(topic, 'lamp'))).toBe(true);
  });

  it.each([
    '$aws/things/lamp/shadow/update/delta',
    '$aws/certificates/create/xml',
    '$SYS/x',
    '$holdfast/things/lamp/secrets',
  ])('leaves %s to the core', (topic) => {
    expect(topics.claims(topic)).toBe(false);
  });

  it.each(TOPICS.filter((topic) => topic.includes('{thing}')))(
    'refuse a device the name of another: %s',
    async (topic) => {
      const foreign = fill(topic, 'other');
      const attempt = topics.publish(lamp.asker, foreign, encodeUtf8('{"status":"FAILED","f":0,"l":256}'));
      await expect(attempt).rejects.toEqual(expect.objectContaining({ code: 'update.foreign_thing' }));
      expect(lamp.violations).toEqual([`publish ${foreign}`]);
      expect(lamp.replies).toEqual([]);
    },
  );

  it.each(TOPICS.filter((topic) => topic.includes('{thing}')))('refuse a claim: %s', async (topic) => {
    const attempt = topics.publish(claim.asker, fill(topic, 'lamp'), new Uint8Array(0));
    await expect(attempt).rejects.toEqual(expect.objectContaining({ code: 'communication.not_allowed' }));
    expect(claim.replies).toEqual([]);
  });

  it.each(TOPICS.filter((topic) => !topic.includes('{thing}')))('refuse a device: %s', async (topic) => {
    const reply = await send(lamp, fill(topic, 'lamp'));
    expect(reply.topic).toBe(`${fill(topic, 'lamp')}/rejected`);
    expect(JSON.parse(decodeUtf8(reply.payload))).toMatchObject({ statusCode: 403, errorCode: 'AccessDenied' });
    expect(asked).toEqual([]);
  });
});

describe.each<AwsFormat>(['json', 'cbor'])('fleet provisioning in %s', (format) => {
  const context = { connectionId: 'claim', remoteAddress: '192.0.2.7', door: 'aws-claim', clientId: 'claim' };

  it('creates keys and certificate for an empty payload', async () => {
    const reply = await send(claim, `$aws/certificates/create/${format}`);
    expect(reply.topic).toBe(`$aws/certificates/create/${format}/accepted`);
    const { privateKey, certificatePem, certificateId } = decodeCertificateReply(format, reply.payload);
    expect(privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(certificatePem).toMatch(/^-----BEGIN CERTIFICATE-----/);
    expect(certificateId).toBe('ab'.repeat(32));
    expect(asked).toEqual([{ principal: CLAIM, wish: { serverKey: true }, context }]);
  });

  it('creates a certificate from a request, in a reply a 2 KB buffer holds', async () => {
    const pem = encodePem('CERTIFICATE REQUEST', Uint8Array.of(1, 2, 3));
    const payload = encodeAwsPayload(format, { certificateSigningRequest: pem });
    const reply = await send(claim, `$aws/certificates/create-from-csr/${format}`, payload);
    expect(decodeCertificateReply(format, reply.payload).privateKey).toBeUndefined();
    expect(reply.payload.length).toBeLessThan(1950);
    expect(asked).toEqual([{ principal: CLAIM, wish: { csrDer: Uint8Array.of(1, 2, 3) }, context }]);
  });

  it('registers the thing', async () => {
    const wish = { certificateOwnershipToken: 'token', parameters: { SerialNumber: '7' } };
    const topic = `$aws/provisioning-templates/lamp/provision/${format}`;
    const reply = await send(claim, topic, encodeAwsPayload(format, wish));
    expect(decodeRegisterThingReply(format, reply.payload)).toEqual({
      deviceConfiguration: { region: 'here' },
      thingName: 'lamp-7',
    });
    const registration = { template: 'lamp', ownershipToken: 'token', parameters: { SerialNumber: '7' } };
    expect(asked).toEqual([{ principal: CLAIM, wish: registration, context }]);
  });

  it.each<[HoldfastError['code'], number, string]>([
    ['identity.bad_token', 400, 'InvalidCertificateOwnershipToken'],
    ['identity.device_has_certificate', 403, 'AccessDenied'],
    ['identity.device_revoked', 403, 'AccessDenied'],
    ['identity.claim_used_up', 403, 'AccessDenied'],
    ['identity.bad_csr', 400, 'InvalidRequest'],
    ['identity.rate_limited', 400, 'Throttling'],
    ['identity.ca_unavailable', 503, 'ServiceUnavailable'],
    ['identity.unknown_product', 400, 'ResourceRegistrationFailure'],
    ['store.conflict', 409, 'ConflictingResourceUpdate'],
    ['kernel.internal', 500, 'InternalFailure'],
  ])('words %s as AWS does', async (code, statusCode, errorCode) => {
    enrollment = { ...enrollment, createCertificate: () => Promise.reject(new HoldfastError(code)) };
    const reply = await send(claim, `$aws/certificates/create/${format}`);
    expect(reply.topic).toBe(`$aws/certificates/create/${format}/rejected`);
    expect(decodeProvisioningRejection(format, reply.payload)).toMatchObject({ statusCode, errorCode });
  });

  it.each<[string, string, object]>([
    ['no request', 'create-from-csr', {}],
    ['a request that is no PEM', 'create-from-csr', { certificateSigningRequest: 'hello' }],
    [
      'a certificate instead',
      'create-from-csr',
      { certificateSigningRequest: encodePem('CERTIFICATE', new Uint8Array(3)) },
    ],
  ])('refuses %s', async (_title, verb, body) => {
    const payload = encodeAwsPayload(format, { ...body });
    const reply = await send(claim, `$aws/certificates/${verb}/${format}`, payload);
    expect(decodeProvisioningRejection(format, reply.payload)).toMatchObject({
      statusCode: 400,
      errorCode: 'InvalidRequest',
    });
    expect(asked).toEqual([]);
  });

  it('bounds what one claim connection asks', async () => {
    for (let at = 0; at < 10; at++) await send(claim, `$aws/certificates/create/${format}`);
    const reply = await send(claim, `$aws/certificates/create/${format}`);
    expect(decodeProvisioningRejection(format, reply.payload)).toMatchObject({ errorCode: 'Throttling' });
    expect(asked).toHaveLength(10);
  });
});

describe.each<AwsFormat>(['json', 'cbor'])('streams in %s', (format) => {
  const S = '$aws/things/lamp/streams/fw-r1';
  const get = (change: object = {}) => encodeStreamGet(format, { ...request, ...change });
  const request = { c: 'rdy', s: 1, f: 0, l: 4096, o: undefined, n: undefined, b: undefined };

  beforeEach(async () => {
    await world.addRelease('r1');
    const target = { kind: 'devices', deviceIds: ['lamp'] } as const;
    await world.rollouts.create(OPERATOR, { releaseId: 'r1', target, inProgressTimeoutMinutes: 60 });
  });

  it('describe the file', async () => {
    const reply = await send(lamp, `${S}/describe/${format}`, encodeAwsPayload(format, { c: 'q' }));
    expect(reply.topic).toBe(`${S}/description/${format}`);
    expect(decodeStreamDescription(format, reply.payload)).toEqual({
      c: 'q',
      s: 1,
      d: 'lamp 2.0.0',
      r: [{ f: 0, z: 20_000 }],
    });
  });

  it('send one message a block, the last one short', async () => {
    await send(lamp, `${S}/get/${format}`, get());
    const blocks = lamp.replies.map(({ payload }) => decodeStreamData(format, payload));
    expect(blocks.map(({ i, l, c }) => [i, l, c])).toEqual([
      [0, 4096, 'rdy'],
      [1, 4096, 'rdy'],
      [2, 4096, 'rdy'],
      [3, 4096, 'rdy'],
      [4, 3616, 'rdy'],
    ]);
    expect(Buffer.concat(blocks.map(({ p }) => p)).equals(IMAGE)).toBe(true);
  });

  it('send what a bitmap asks for', async () => {
    await send(lamp, `${S}/get/${format}`, get({ o: 1, b: Uint8Array.of(0b101) }));
    expect(lamp.replies.map(({ payload }) => decodeStreamData(format, payload).i)).toEqual([1, 3]);
  });

  it.each<[string, object, string]>([
    ['a block too small', { l: 255 }, 'BlockSizeOutOfBounds'],
    ['an offset past the end', { o: 5 }, 'OffsetOutOfBounds'],
    ['too many blocks', { n: 98_305 }, 'BlockCountLimitExceeded'],
    ['a bitmap too long', { b: new Uint8Array(12_288) }, 'BlockBitmapLimitExceeded'],
    ['another version', { s: 2 }, 'VersionMismatch'],
    ['another file', { f: 1 }, 'ResourceNotFound'],
  ])('refuse %s', async (_title, change, code) => {
    const reply = await send(lamp, `${S}/get/${format}`, get(change));
    expect(reply.topic).toBe(`${S}/rejected/${format}`);
    expect(decodeStreamRejection(format, reply.payload)).toMatchObject({ o: code, c: 'rdy' });
  });

  it('refuse a stream that is not of an open job of this device', async () => {
    const other = fakeConnection('other');
    const topic = `$aws/things/other/streams/fw-r1/get/${format}`;
    const reply = await send(other, topic, get());
    expect(decodeStreamRejection(format, reply.payload).o).toBe('ResourceNotFound');
    const unknown = await send(lamp, `$aws/things/lamp/streams/fw-r2/describe/${format}`);
    expect(decodeStreamRejection(format, unknown.payload).o).toBe('ResourceNotFound');
  });

  it('refuse what cannot be read, each encoding by its own code', async () => {
    const reply = await send(lamp, `${S}/get/${format}`, Uint8Array.of(0x7b));
    const code = format === 'json' ? 'InvalidJson' : 'InvalidCbor';
    expect(decodeStreamRejection(format, reply.payload).o).toBe(code);
    const short = await send(lamp, `${S}/get/${format}`, encodeAwsPayload(format, { f: 0 }));
    expect(decodeStreamRejection(format, short.payload).o).toBe('InvalidRequest');
    expect(decodeAwsPayload(format, short.payload).get('code')).toBe('InvalidRequest');
  });

  it('word a topic that names no request', async () => {
    const reply = await send(lamp, `${S}/erase/${format}`);
    expect(reply.topic).toBe(`${S}/erase/${format}/rejected`);
    expect(decodeStreamRejection('json', reply.payload).o).toBe('InvalidTopic');
  });
});

describe('the Holdfast topics', () => {
  const H = '$holdfast/things/lamp';
  const evidence = { digest: 'aa', version: '2.0.0', counter: 2, bootState: 'test', releaseId: 'r1', at: 0 } as const;

  it('give a nonce and the seconds it is good for', async () => {
    const reply = await send(lamp, `${H}/evidence/nonce`);
    expect(reply.topic).toBe(`${H}/evidence/nonce/accepted`);
    expect(decodeEvidenceNonce(reply.payload)).toEqual({ nonce: new Uint8Array(16).fill(7), expiresInSeconds: 300 });
  });

  it('answer evidence with the posture and whether to confirm', async () => {
    const reasons = [{ code: 'posture.below_minimum', words: 'it runs 2.0.0' }];
    verdict = { kind: 'accepted', deviceId: 'lamp', posture: 'restricted', reasons, evidence, proceed: 'confirm' };
    const reply = await send(lamp, `${H}/evidence`, Uint8Array.of(0xd2, 0x84));
    expect(decodeEvidenceReply(reply.payload)).toEqual({
      posture: 'restricted',
      reasons: ['it runs 2.0.0'],
      bootState: 'test',
      proceed: 'confirm',
    });
    expect(asked).toEqual([{ principal: deviceNamed('lamp'), token: Uint8Array.of(0xd2, 0x84) }]);
  });

  it('answer evidence only when the connection has the rights that follow from it', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    renewRights = (connectionId) => (connectionId === 'lamp' ? promise : Promise.reject(new Error('another one')));
    verdict = { kind: 'accepted', deviceId: 'lamp', posture: 'proven', reasons: [], evidence, proceed: 'none' };
    const sent = topics.publish(lamp.asker, `${H}/evidence`, Uint8Array.of(0xd2));
    await new Promise((turn) => setImmediate(turn));
    expect(lamp.replies).toEqual([]);
    resolve();
    await sent;
    expect(lamp.replies.map(({ topic }) => topic)).toEqual([`${H}/evidence/accepted`]);
  });

  it('refuse evidence with its code, also when the room throws', async () => {
    verdict = { kind: 'refused', deviceId: 'lamp', code: 'posture.nonce_expired', posture: 'unproven', reasons: [] };
    const reply = await send(lamp, `${H}/evidence`);
    expect(reply.topic).toBe(`${H}/evidence/rejected`);
    expect(decodeHoldfastRejection(reply.payload).code).toBe('posture.nonce_expired');
    verdict = new HoldfastError('identity.device_quarantined');
    expect(decodeHoldfastRejection((await send(lamp, `${H}/evidence`)).payload).code).toBe(
      'identity.device_quarantined',
    );
  });

  it('tell the time in whole seconds', async () => {
    world.clock.advance(1999);
    const reply = await send(lamp, `${H}/time`);
    expect(decodeTimeReply(reply.payload)).toBe(Math.floor(world.clock.now() / 1000));
  });

  it('take health and refuse what is none', async () => {
    const report: HealthReport = {
      firmwareVersion: '2.0.0',
      bootState: 'confirmed',
      bootCount: 3,
      maxSectorErases: 9,
      uptimeSeconds: 12,
    };
    expect((await send(lamp, `${H}/health`, encodeHealthReport(report))).topic).toBe(`${H}/health/accepted`);
    expect(health).toEqual([report]);
    expect((await send(lamp, `${H}/health`, encodeUtf8('{}'))).topic).toBe(`${H}/health/rejected`);
    expect(health).toHaveLength(1);
  });

  it('answer this connection although its policy lets it receive nothing', async () => {
    await send(lamp, `${H}/time`);
    expect(lamp.replies.at(-1)?.unpoliced).toBe(true);
  });
});
