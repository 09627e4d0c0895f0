import type { PostJson } from '@holdfast/device';
import { decodeUtf8, encodeUtf8, HoldfastError, systemRandom } from '@holdfast/kernel';
import { TpmEnrollment, type TpmEnrollmentPorts, TpmTrust } from '@holdfast/trust/identity';
import { decodePem } from '@holdfast/wire/pem';
import {
  decodeTpmEnrollmentRequest,
  decodeTpmPublic,
  encodeTpmEnrollmentRequest,
  encodeTpmPublic,
  TPM_ENROLLMENT_PATHS,
  TPM_OBJECT,
  type TpmEnrollmentRequest,
} from '@holdfast/wire/tpm2';
import { decodeCertificate } from '@holdfast/wire/x509';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tpmRoutes } from '../protocols/tpm/index.ts';
import { ADMIN, type IdentityWorld, openIdentityWorld } from '../testing/identity-world.ts';
import { type Gateway, makeGateway, Maker } from '../../../device/src/testing/tpm-gateway.ts';

const coded = (code: string) => expect.objectContaining({ code });
describe('enrollment by a TPM', () => {
  let maker: Maker;
  let world: IdentityWorld;
  let trust: TpmTrust;
  let ports: TpmEnrollmentPorts;
  let gateway: Gateway;
  let claimId: string;

  beforeAll(async () => {
    maker = await Maker.open();
  });
  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    ({ claimId } = await world.addClaim({ serials: ['lamp-1', 'lamp-2'] }));
    const { clock, repositories, opened, enrollment } = world;
    const { store, audit } = opened;
    const shared = { ...repositories, clock, store, audit };
    trust = new TpmTrust(shared);
    ports = { ...shared, random: systemRandom, enrollment, challengeKey: systemRandom.bytes(32) };
    gateway = await makeGateway(maker);
  });
  afterEach(() => world.opened.close());

  /** What the listener does with the two routes; `alter` stands between the device and it. */
  const door = (alter: (path: string, body: Uint8Array) => Uint8Array = (_path, body) => body): PostJson => {
    const routes = tpmRoutes({ tpmEnrollment: new TpmEnrollment(ports), tenant: 'default' });
    return async (path, body) => {
      const answer = await routes
        .find((each) => each.path === path)
        ?.handle({
          principal: undefined,
          method: 'POST',
          path,
          params: {},
          query: new URLSearchParams(),
          headers: { 'content-type': 'application/json' },
          body: alter(path, body),
          remoteAddress: '192.0.2.1',
          signal: new AbortController().signal,
          channelBinding: () => undefined,
        });
      return answer?.body instanceof Uint8Array ? answer.body : new Uint8Array();
    };
  };
  const list = (serialNumber = 'lamp-1') =>
    trust.list(ADMIN, { certificatePem: gateway.endorsementPem, claimId, serialNumber });

  it('gives a listed TPM the device it was listed for, and binds its attestation key to it', async () => {
    await list();
    const { deviceId, key, certificatePem } = await gateway.enroll(door());
    expect(deviceId).toBe('lamp-1');
    expect('kind' in key && key.kind).toBe('hardware');
    expect(certificatePem).toContain('BEGIN CERTIFICATE');
    expect(await world.repositories.tpms.ofDevice('default', 'lamp-1')).toMatchObject({ trust: 'listed' });
    const [certificate] = await world.repositories.certificates.ofDevice('default', 'lamp-1');
    expect(certificate).toMatchObject({ door: 'tpm', keyOrigin: 'device', state: 'active' });
    expect((await world.audit()).map(({ action }) => action)).toEqual(
      expect.arrayContaining(['tpm.listed', 'device.enrolled', 'device.tpm_bound']),
    );
  });

  it('lets in what a trusted maker certified, within the claim', async () => {
    const quota = await world.addClaim({ quota: 1 });
    await trust.trust(ADMIN, { certificatePem: maker.pem, claimId: quota.claimId });
    const { deviceId } = await gateway.enroll(door());
    expect(await world.repositories.tpms.ofDevice('default', deviceId)).toMatchObject({ trust: 'certified' });
    const second = await makeGateway(maker);
    await expect(second.enroll(door())).rejects.toThrow(coded('identity.claim_used_up'));
  });

  it('makes one device of a TPM that its maker certified, however many keys it makes', async () => {
    const quota = await world.addClaim({ quota: 10 });
    await trust.trust(ADMIN, { certificatePem: maker.pem, claimId: quota.claimId });
    const { deviceId } = await gateway.enroll(door());
    const again = await makeGateway(maker, gateway.software);
    await expect(again.enroll(door())).rejects.toThrow(coded('identity.device_has_certificate'));
    expect((await world.repositories.claims.find('default', quota.claimId))?.used).toBe(1);
    await world.revocation.device(ADMIN, deviceId, 'unspecified');
    await expect(again.enroll(door())).rejects.toThrow(coded('identity.device_revoked'));
  });

  it('makes one device of a certified TPM that enrolls twice at the same time', async () => {
    const quota = await world.addClaim({ quota: 10 });
    await trust.trust(ADMIN, { certificatePem: maker.pem, claimId: quota.claimId });
    const twin = await makeGateway(maker, gateway.software);
    const both = await Promise.allSettled([gateway.enroll(door()), twin.enroll(door())]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('answers again when the first answer was lost', async () => {
    await list();
    let lost = true;
    const flaky: PostJson = async (path, body) => {
      const answer = await door()(path, body);
      if (path === TPM_ENROLLMENT_PATHS.enroll && lost) {
        lost = false;
        throw new HoldfastError('device.no_answer');
      }
      return answer;
    };
    await expect(gateway.enroll(flaky)).rejects.toThrow(coded('device.no_answer'));
    expect((await gateway.enroll(flaky)).deviceId).toBe('lamp-1');
    expect(await world.repositories.certificates.ofDevice('default', 'lamp-1')).toHaveLength(1);
  });

  it.each<[string, string, () => Promise<unknown>]>([
    ['nobody listed or certified', 'identity.tpm_unknown', () => gateway.enroll(door())],
    [
      'of a maker who is trusted no more',
      'identity.tpm_unknown',
      async () => {
        const { fingerprint } = await trust.trust(ADMIN, { certificatePem: maker.pem, claimId });
        await trust.distrust(ADMIN, fingerprint);
        return gateway.enroll(door());
      },
    ],
    [
      'of another maker',
      'identity.tpm_unknown',
      async () => {
        await trust.trust(ADMIN, { certificatePem: (await Maker.open()).pem, claimId });
        return gateway.enroll(door());
      },
    ],
    [
      'whose claim was cancelled',
      'identity.claim_revoked',
      async () => {
        await list();
        await world.claims.cancel(ADMIN, claimId);
        return gateway.enroll(door());
      },
    ],
    [
      'that shows the certificate of a listed one',
      'identity.tpm_endorsement',
      async () => {
        await list();
        const thief = await makeGateway(await Maker.open());
        return thief.enroll(
          door((path, body) => (path === TPM_ENROLLMENT_PATHS.challenge ? withCertificateOf(gateway, body) : body)),
        );
      },
    ],
    [
      'that shows certificate and key of a listed one and cannot open the secret',
      'device.tpm_refused',
      async () => {
        await list();
        const captured = await capture(gateway);
        const thief = await makeGateway(await Maker.open());
        return thief.enroll(
          door((path, body) => (path === TPM_ENROLLMENT_PATHS.challenge ? stolen(captured, body) : body)),
        );
      },
    ],
    [
      'with a key made outside',
      'identity.tpm_key_unfit',
      () => altered('deviceKey', (area) => area & ~TPM_OBJECT.sensitiveDataOrigin),
    ],
    [
      'with an attestation key that signs anything',
      'identity.tpm_key_unfit',
      () => altered('attestationKey', (area) => area & ~TPM_OBJECT.restricted),
    ],
    [
      'with a request of another key',
      'identity.tpm_key_unfit',
      async () => {
        await list();
        const other = await capture(await makeGateway(maker));
        return gateway.enroll(changed(({ csr: _csr, ...request }) => ({ ...request, csr: other.csr })));
      },
    ],
    [
      'with the certification of another request',
      'identity.tpm_not_certified',
      async () => {
        await list();
        const other = await capture(await makeGateway(maker));
        return gateway.enroll(changed((request) => ({ ...request, certification: other.certification })));
      },
    ],
    [
      'that answers with another secret',
      'identity.tpm_challenge',
      async () => {
        await list();
        return gateway.enroll(
          door((path, body) =>
            path === TPM_ENROLLMENT_PATHS.enroll
              ? encodeUtf8(
                  decodeUtf8(body)
                    .replace(/"secret":"."/, '"secret":"A')
                    .replace(/"secret":"[^"]{4}/, '"secret":"AAAA'),
                )
              : body,
          ),
        );
      },
    ],
    [
      'that answers too late',
      'identity.tpm_challenge',
      async () => {
        await list();
        return gateway.enroll(
          door((path, body) => {
            if (path === TPM_ENROLLMENT_PATHS.enroll) world.clock.advance(120_001);
            return body;
          }),
        );
      },
    ],
    [
      'whose challenge came from elsewhere',
      'identity.tpm_challenge',
      async () => {
        await list();
        const elsewhere = door();
        ports = { ...ports, challengeKey: systemRandom.bytes(32) };
        const here = door();
        return gateway.enroll((path, body) => (path === TPM_ENROLLMENT_PATHS.challenge ? elsewhere : here)(path, body));
      },
    ],
  ])('refuses a TPM %s (%s)', async (_name, code, attempt) => {
    await expect(attempt()).rejects.toThrow(coded(code));
    expect(await world.repositories.certificates.ofDevice('default', 'lamp-1')).toEqual([]);
  });

  it('takes a challenge once', async () => {
    await list();
    const answers: Uint8Array[] = [];
    const post = door((path, body) => {
      if (path === TPM_ENROLLMENT_PATHS.enroll) answers.push(body);
      return body;
    });
    await gateway.enroll(post);
    const again = post(TPM_ENROLLMENT_PATHS.enroll, answers[0] ?? new Uint8Array());
    await expect(again).rejects.toThrow(coded('identity.tpm_challenge'));
  });

  it('asks an address that asks too often to wait', async () => {
    ports = { ...ports, addressRate: { burst: 2, perSecond: 0.01 } };
    const post = door();
    for (let i = 0; i < 2; i++) await expect(gateway.enroll(post)).rejects.toThrow(coded('identity.tpm_unknown'));
    await expect(gateway.enroll(post)).rejects.toThrow(coded('identity.rate_limited'));
  });

  it('refuses nonsense as any decoder does', async () => {
    for (const text of ['', '{}', '[1]', '{"challenge":"","secret":""}']) {
      for (const path of Object.values(TPM_ENROLLMENT_PATHS)) {
        await expect(door()(path, encodeUtf8(text))).rejects.toThrow(HoldfastError);
      }
    }
  });

  it('lists a TPM once, for a claim that exists, and trusts authorities alone', async () => {
    await list();
    await expect(list('lamp-2')).rejects.toThrow(coded('identity.tpm_listed'));
    const other = { certificatePem: maker.pem, claimId: 'nobody', serialNumber: 'x' };
    await expect(trust.list(ADMIN, other)).rejects.toThrow(coded('identity.unknown_claim'));
    await expect(trust.trust(ADMIN, { certificatePem: gateway.endorsementPem, claimId })).rejects.toThrow(
      coded('identity.bad_tpm_authority'),
    );
    await expect(trust.distrust(ADMIN, 'nobody')).rejects.toThrow(coded('identity.unknown_tpm_maker'));
  });

  function changed(change: (request: TpmEnrollmentRequest) => TpmEnrollmentRequest): PostJson {
    return door((path, body) =>
      path === TPM_ENROLLMENT_PATHS.challenge
        ? encodeTpmEnrollmentRequest(change(decodeTpmEnrollmentRequest(body)))
        : body,
    );
  }

  async function altered(name: 'deviceKey' | 'attestationKey', change: (attributes: number) => number) {
    await list();
    return gateway.enroll(
      changed((request) => {
        const area = decodeTpmPublic(request[name]);
        return { ...request, [name]: encodeTpmPublic({ ...area, attributes: change(area.attributes) }) };
      }),
    );
  }

  /** The request a gateway would send. */
  async function capture(of: Gateway): Promise<TpmEnrollmentRequest> {
    let request: TpmEnrollmentRequest | undefined;
    const stop: PostJson = (_path, body) => {
      request = decodeTpmEnrollmentRequest(body);
      return Promise.reject(new HoldfastError('device.no_answer'));
    };
    await of.enroll(stop).catch(() => undefined);
    if (request === undefined) throw new TypeError('nothing was asked');
    return request;
  }

  function withCertificateOf({ endorsementPem }: Gateway, body: Uint8Array): Uint8Array {
    const der = decodeCertificate(decodePem(endorsementPem, 'CERTIFICATE')).raw;
    return encodeTpmEnrollmentRequest({ ...decodeTpmEnrollmentRequest(body), endorsementCertificate: der });
  }

  function stolen({ endorsementCertificate, endorsementKey }: TpmEnrollmentRequest, body: Uint8Array): Uint8Array {
    return encodeTpmEnrollmentRequest({ ...decodeTpmEnrollmentRequest(body), endorsementCertificate, endorsementKey });
  }
});
