import { virtualTpm } from '@holdfast/device';
import { encodeHex, systemRandom } from '@holdfast/kernel';
import { TpmEnrollment, TpmTrust } from '@holdfast/trust/identity';
import type { AttestationResult } from '@holdfast/trust/posture';
import { TpmReferences } from '@holdfast/trust/posture';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import {
  decodeTpmAnswer,
  decodeTpmEnrollmentRequest,
  encodeEventLog,
  encodeQuoteEvidence,
  encodeTpmChallenge,
  encodeTpmEnrolled,
  type EventLog,
  TPM_ENROLLMENT_PATHS,
  tpmCalls,
} from '@holdfast/wire/tpm2';
import { fingerprint } from '@holdfast/crypto';
import { decodePem } from '@holdfast/wire/pem';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, type IdentityWorld, openIdentityWorld } from '../testing/identity-world.ts';
import { type Gateway, makeGateway, Maker } from '../../../device/src/testing/tpm-gateway.ts';

const PCRS = [0, 4, 7];

describe('a TPM quote as evidence', () => {
  let maker: Maker;
  let world: IdentityWorld;
  let references: TpmReferences;
  let gateway: Gateway;
  let principal: DevicePrincipal;

  beforeAll(async () => {
    maker = await Maker.open();
  });
  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    const { clock, repositories, opened } = world;
    references = new TpmReferences({ ...repositories, clock, store: opened.store, audit: opened.audit });
    [gateway, principal] = await enrolled('lamp-1');
  });
  afterEach(() => world.opened.close());

  async function enrolled(serialNumber: string): Promise<[Gateway, DevicePrincipal]> {
    const { clock, repositories, opened, enrollment } = world;
    const shared = { ...repositories, clock, store: opened.store, audit: opened.audit };
    const { claimId } = await world.addClaim({ serials: [serialNumber] });
    const made = await makeGateway(maker);
    const certificatePem = made.endorsementPem;
    await new TpmTrust(shared).list(ADMIN, { certificatePem, claimId, serialNumber });
    const challengeKey = systemRandom.bytes(32);
    const door = new TpmEnrollment({ ...shared, random: systemRandom, enrollment, challengeKey });
    const context = { tenant: 'default', remoteAddress: '192.0.2.1' };
    const identity = await made.enroll(async (path, body) =>
      path === TPM_ENROLLMENT_PATHS.challenge
        ? encodeTpmChallenge(await door.challenge(decodeTpmEnrollmentRequest(body), context))
        : encodeTpmEnrolled(await door.enroll(decodeTpmAnswer(body), context)),
    );
    const print = fingerprint(decodePem(identity.certificatePem, 'CERTIFICATE'));
    return [made, { kind: 'device', tenant: 'default', deviceId: identity.deviceId, fingerprint: print }];
  }

  const quote = async (nonce: Uint8Array, of = gateway, log?: Uint8Array): Promise<Uint8Array> =>
    encodeQuoteEvidence(await of.identity.quote(nonce, PCRS, log));
  const prove = async (of = gateway, as = principal, log?: Uint8Array): Promise<AttestationResult> => {
    const { nonce } = await world.attestation.challenge(as);
    return world.attestation.appraise(as, await quote(nonce, of, log));
  };
  const extend = (pcr: number, fill: number) =>
    virtualTpm(gateway.software).run(tpmCalls.pcrExtend(pcr, 'sha256', new Uint8Array(32).fill(fill)));
  /** Records the registers of this gateway as they are now. */
  const record = async (version: string, hardwareRevision = 'rev-a') => {
    const { pcrs } = await gateway.identity.quote(new Uint8Array(8), PCRS, undefined);
    const values = Object.fromEntries([...pcrs].map(([pcr, value]) => [String(pcr), encodeHex(value)]));
    return references.record(ADMIN, { product: 'lamp', version, hardwareRevision, counter: 0, pcrs: values });
  };

  it('proves a gateway whose registers are as recorded', async () => {
    await record('1.2.0');
    expect(await prove()).toMatchObject({ kind: 'accepted', posture: 'proven', evidence: { version: '1.2.0' } });
    expect(await world.postures.postureOf(principal)).toMatchObject({ posture: 'proven', rights: 'full' });
  });

  it('restricts one with nothing recorded, and one whose registers differ, and names which', async () => {
    expect(await prove()).toMatchObject({ posture: 'restricted', reasons: [{ code: 'posture.nothing_recorded' }] });
    await record('1.2.0');
    await extend(4, 1);
    expect(await prove()).toMatchObject({
      kind: 'accepted',
      posture: 'restricted',
      reasons: [
        { code: 'posture.register_differs', words: expect.stringMatching(/^register 4 \(boot loader\) .* 1\.2\.0 /) },
      ],
    });
  });

  it('records for hardware and versions that the product can have', async () => {
    await record('1.2.0', 'rev-a');
    expect((await references.list('default', 'lamp')).map(({ hardwareRevision }) => hardwareRevision)).toEqual([
      'rev-a',
    ]);
    await expect(record('1.2.0', 'rev-z')).rejects.toMatchObject({ code: 'request.invalid' });
    await expect(record('new')).rejects.toMatchObject({ code: 'request.invalid' });
  });

  it('sees a start in between, and a count of starts that went back', async () => {
    await record('1.2.0');
    const restarts = async () =>
      (await world.audit())
        .filter(({ action }) => action === 'evidence.accepted')
        .map(({ details }) => (JSON.parse(details) as { readonly restarted: boolean }).restarted);
    await prove();
    gateway.software.reset();
    await prove();
    expect(await restarts()).toEqual([false, true]);
    const { tpms } = world.repositories;
    await world.opened.store.commit([tpms.counting('default', 'lamp-1', { resetCount: 99, restartCount: 0 })]);
    // However often it quotes: what was seen is not forgotten for having been told of.
    for (const _ of [1, 2]) {
      expect(await prove()).toMatchObject({
        posture: 'restricted',
        reasons: [{ code: 'posture.starts_went_back' }],
      });
    }
  });

  it('sees a count of resumes that went back within one start', async () => {
    await record('1.2.0');
    await prove();
    const { tpms } = world.repositories;
    const seen = await tpms.starts('default', 'lamp-1');
    if (seen === undefined) throw new TypeError('nothing was counted');
    await world.opened.store.commit([tpms.counting('default', 'lamp-1', { ...seen, restartCount: 9 })]);
    expect(await prove()).toMatchObject({ posture: 'restricted', reasons: [{ code: 'posture.starts_went_back' }] });
  });

  it('takes a log that explains the registers, and refuses one that does not', async () => {
    const digests = new Map([['sha256', new Uint8Array(32).fill(1)]] as const);
    const log: EventLog = { startupLocality: 0, events: [{ pcr: 4, type: 13, digests, data: new Uint8Array() }] };
    await extend(4, 1);
    await record('1.2.0');
    expect(await prove(gateway, principal, encodeEventLog(log))).toMatchObject({ posture: 'proven' });
    await extend(4, 1);
    expect(await prove(gateway, principal, encodeEventLog(log))).toMatchObject({
      kind: 'refused',
      code: 'posture.log_contradicts',
    });
  });

  it.each<[string, string, () => Promise<AttestationResult>]>([
    [
      'replayed',
      'posture.nonce_unknown',
      async () => {
        const { nonce } = await world.attestation.challenge(principal);
        const token = await quote(nonce);
        await world.attestation.appraise(principal, token);
        return world.attestation.appraise(principal, token);
      },
    ],
    [
      'stale',
      'posture.nonce_expired',
      async () => {
        const { nonce } = await world.attestation.challenge(principal);
        const token = await quote(nonce);
        world.clock.advance(300_001);
        return world.attestation.appraise(principal, token);
      },
    ],
    ['foreign', 'posture.evidence_forged', async () => prove(await makeGateway(maker).then(withAttestationKey))],
    [
      "with another device's nonce",
      'posture.nonce_unknown',
      async () => {
        const [, other] = await enrolled('lamp-2');
        const { nonce } = await world.attestation.challenge(other);
        return world.attestation.appraise(principal, await quote(nonce));
      },
    ],
    [
      'with a register altered on the way',
      'posture.evidence_forged',
      async () => {
        const { nonce } = await world.attestation.challenge(principal);
        const evidence = await gateway.identity.quote(nonce, PCRS, undefined);
        const pcrs = new Map([...evidence.pcrs, [4, new Uint8Array(32).fill(9)]]);
        return world.attestation.appraise(principal, encodeQuoteEvidence({ ...evidence, pcrs }));
      },
    ],
    [
      'with bytes after it',
      'posture.evidence_malformed',
      async () => {
        const { nonce } = await world.attestation.challenge(principal);
        return world.attestation.appraise(principal, Uint8Array.of(...(await quote(nonce)), 0));
      },
    ],
  ])('%s is refused (%s)', async (_name, code, attempt) => {
    await record('1.2.0');
    expect(await attempt()).toMatchObject({ kind: 'refused', code });
  });

  it('of a device that never showed a TPM is refused', async () => {
    await world.registry.establish(ADMIN, { deviceId: 'plain', product: 'lamp', hardwareRevision: 'rev-a' });
    const plain: DevicePrincipal = { ...principal, deviceId: 'plain' };
    expect(await prove(gateway, plain)).toMatchObject({ kind: 'refused', code: 'posture.no_anchor' });
  });

  async function withAttestationKey(made: Gateway): Promise<Gateway> {
    await made.identity.attestationKey();
    return made;
  }
});
