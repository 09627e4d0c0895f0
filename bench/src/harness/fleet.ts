import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createCsr, createSigner, generatePrivateKey } from '@holdfast/crypto';
import { silentLog, systemClock, systemRandom } from '@holdfast/kernel';
import { DEFAULT_ARN_SCOPE, Policies } from '@holdfast/trust/communication';
import { Enrollment, ServerIdentity } from '@holdfast/trust/identity';
import { DEFAULT_TENANT } from '@holdfast/trust/ports';
import type { OperatorPrincipal } from '@holdfast/trust/principal';
import { encodePem } from '@holdfast/wire/pem';
import { Closers } from '../../../packages/server/src/compose/closers.ts';
import { openFoundation } from '../../../packages/server/src/compose/foundation.ts';
import { openRooms } from '../../../packages/server/src/compose/rooms.ts';
import { loadConfig } from '../../../packages/server/src/config/index.ts';
import { communicationRepositories } from '../../../packages/server/src/persistence/repositories/communication.ts';

export const OPERATOR: OperatorPrincipal = { kind: 'operator', tenant: DEFAULT_TENANT, name: 'bench', via: 'socket' };
export const PRODUCT = 'bench';

const NO_RATE = { burst: 1_000_000, perSecond: 1_000_000 };

/** Everything that stands on a data folder, without the listeners. */
export async function openServices(dataFolder: string) {
  const closers = new Closers(silentLog);
  const { config } = loadConfig({ environment: {}, flags: { data: dataFolder } });
  const ports = { clock: systemClock, random: systemRandom, log: silentLog, closers, tenant: DEFAULT_TENANT };
  const foundation = await openFoundation(config, ports);
  const rooms = await openRooms(foundation, {
    crlUri: (issuer) => `http://localhost/crl/${issuer}.crl`,
    artifactUrl: (job) => `https://localhost/artifacts/${job}`,
  });
  const { store, audit, outbox, reader } = foundation.database;
  const shared = { ...ports, store, audit, outbox, ...rooms.repositories };
  return {
    foundation,
    rooms,
    /** Without the rate limits, which are there to stop exactly this. */
    enrollment: new Enrollment({
      ...shared,
      authority: rooms.authority,
      hooks: { ask: async () => ({ kind: 'denied' }) },
      claimRate: NO_RATE,
      tenantRate: NO_RATE,
    }),
    policies: new Policies({
      ...shared,
      policies: communicationRepositories(reader).policies,
      scopeOf: () => DEFAULT_ARN_SCOPE,
    }),
    serverIdentity: () => new ServerIdentity({ ...shared, authority: rooms.authority }, []),
    close: () => closers.closeAll(),
  };
}

export type Services = Awaited<ReturnType<typeof openServices>>;

/** A product whose devices may do what the loads do and nothing else. */
async function addProduct({ policies, rooms }: Services): Promise<void> {
  const thing = '${iot:Connection.Thing.ThingName}';
  const arn = (rest: string) => `arn:aws:iot:*:*:${rest}`;
  const allow = (Action: string | string[], Resource: string | string[]) => ({ Effect: 'Allow', Action, Resource });
  const document = {
    Version: '2012-10-17',
    Statement: [
      allow('iot:Connect', arn(`client/${thing}`)),
      allow('iot:Publish', [arn(`topic/bench/${thing}/up`), arn('topic/bench/all')]),
      allow('iot:Receive', [arn('topic/bench/*')]),
      allow('iot:Subscribe', [arn('topicfilter/bench/+/up'), arn('topicfilter/bench/all')]),
    ],
  };
  await policies.put(OPERATOR, 'bench', JSON.stringify(document));
  const boot = { format: 'mcuboot', headerSize: 512, slotSize: 32 * 2 ** 20, align: 8 } as const;
  const imageKeyId = await rooms.images.create(OPERATOR, 'ecdsa-p256');
  await rooms.products.create(OPERATOR, {
    name: PRODUCT,
    hardwareRevisions: ['rev-a'],
    evidence: 'none',
    policies: ['bench'],
    imageKeyId,
    boot,
  });
}

export async function addClaim({ rooms }: Services, quota: number) {
  const expiresAt = systemClock.now() + 86_400_000;
  const { claim } = await rooms.claims.create(OPERATOR, { product: PRODUCT, quota, expiresAt });
  return { kind: 'claim', tenant: claim.tenant, claimId: claim.claimId, fingerprint: claim.fingerprint } as const;
}

/** What loads and peers need of a prepared folder. */
export interface Fleet {
  readonly dataFolder: string;
  /** `names` and one `<name>.pem` a device, certificate and key. */
  readonly identities: string;
  readonly names: readonly string[];
  /** PEM of root and issuing CA. */
  readonly ca: string;
  /** PEM of a server certificate with its chain, and of its key, for the peers. */
  readonly serverChain: string;
  readonly serverKey: string;
}

/** Makes a data folder with enrolled devices, and everything a peer needs to serve the same devices. */
export async function prepareFleet(folder: string, devices: number): Promise<Fleet> {
  const dataFolder = path.join(folder, 'data');
  const identities = path.join(folder, 'identities');
  mkdirSync(identities, { recursive: true });
  const services = await openServices(dataFolder);
  try {
    await addProduct(services);
    const names = await enrollAll(services, identities, devices);
    const credential = await services.serverIdentity().start();
    const write = (name: string, text: string): string => {
      const file = path.join(folder, name);
      writeFileSync(file, text, { mode: 0o600 });
      return file;
    };
    const { authority } = services.rooms;
    const pem = (ders: readonly Uint8Array[]) => ders.map((der) => encodePem('CERTIFICATE', der)).join('');
    write('identities/names', `${names.join('\n')}\n`);
    return {
      dataFolder,
      identities,
      names,
      ca: write('ca.pem', pem([authority.rootDer, ...authority.chainDer])),
      serverChain: write('server.pem', pem([credential.certificateDer, ...credential.chainDer])),
      serverKey: write('server.key', credential.privateKey.exportPem()),
    };
  } finally {
    await services.close();
  }
}

async function enrollAll(services: Services, identities: string, devices: number): Promise<readonly string[]> {
  const claim = await addClaim(services, devices);
  const names: string[] = [];
  const AT_ONCE = 50;
  for (let from = 0; from < devices; from += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, devices - from) }, async (_, index) => {
      const key = await generatePrivateKey('P-256');
      const csr = await createCsr({ subject: [{ type: 'commonName', value: 'bench' }] }, createSigner(key));
      const context = { connectionId: `bench-${from + index}`, remoteAddress: '127.0.0.1', door: 'est' } as const;
      const { deviceId, certificateDer } = await services.enrollment.enrollDirect(claim, csr, context);
      writeFileSync(
        path.join(identities, `${deviceId}.pem`),
        encodePem('CERTIFICATE', certificateDer) + key.exportPem(),
      );
      return deviceId;
    });
    names.push(...(await Promise.all(batch)));
  }
  return names;
}
