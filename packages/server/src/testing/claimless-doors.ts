import { fingerprint, verifyCsr } from '@holdfast/crypto';
import { encodePem } from '@holdfast/wire/pem';
import { ADMIN, connection, type IdentityWorld } from './identity-world.ts';
import { MakerAuthority } from './maker-authority.ts';

interface Attempt {
  readonly csr: Uint8Array;
  readonly serial: string;
}

/** A door of the verdict table that no claim opens, and the rules that concern it. */
export interface ClaimlessDoor {
  readonly only: ReadonlySet<string>;
  readonly enter: (world: IdentityWorld, attempt: Attempt) => Promise<string>;
}

const OF_DEVICES = [
  'key-has-one-owner',
  'name-is-free',
  'not-archived',
  'not-revoked',
  'not-quarantined',
  'not-suspended',
  'device-of-the-product',
  'no-second-certificate',
  'enrolled-once',
];
const OF_REQUESTS = ['proof-of-possession', 'strong-key', 'no-authority', 'own-name-only', 'key-of-this-device'];

const BULK = {
  Parameters: { Name: { Type: 'String' }, CSR: { Type: 'String' } },
  Resources: {
    thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'Name' } } },
    certificate: { Type: 'AWS::IoT::Certificate', Properties: { CertificateSigningRequest: { Ref: 'CSR' } } },
  },
};

const JITP = {
  Parameters: { 'AWS::IoT::Certificate::CommonName': { Type: 'String' } },
  Resources: {
    thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'AWS::IoT::Certificate::CommonName' } } },
    certificate: { Type: 'AWS::IoT::Certificate', Properties: { CertificateId: 'x' } },
  },
};

const makers = new WeakMap<IdentityWorld, Promise<MakerAuthority>>();

async function keep(world: IdentityWorld, name: string, document: unknown): Promise<void> {
  if (await world.repositories.templates.find('default', name)) return;
  const body = JSON.stringify(document);
  await world.templates.create(ADMIN, { name, kind: 'jitp', product: 'lamp', body });
}

async function makerOf(world: IdentityWorld): Promise<MakerAuthority> {
  await keep(world, 'makers', JITP);
  const maker = await MakerAuthority.open(world.clock.now());
  const verificationDer = await maker.verify(world.manufacturers.registrationCode('default'));
  await world.manufacturers.register(ADMIN, { certificateDer: maker.der, verificationDer, template: 'makers' });
  return maker;
}

export const CLAIMLESS_DOORS: Readonly<Record<string, ClaimlessDoor>> = {
  'AWS bulk registration': {
    only: new Set([...OF_DEVICES, ...OF_REQUESTS]),
    async enter(world, { csr, serial }) {
      await keep(world, 'bulk', BULK);
      const parameters = { Name: serial, CSR: encodePem('CERTIFICATE REQUEST', csr) };
      return (await world.bulk.register(ADMIN, 'bulk', parameters)).deviceId;
    },
  },
  'AWS just-in-time provisioning': {
    only: new Set(OF_DEVICES),
    async enter(world, { csr, serial }) {
      const maker = await (makers.get(world) ?? makers.set(world, makerOf(world)).get(world));
      if (maker === undefined) throw new TypeError('no maker');
      const { publicKey } = await verifyCsr(csr);
      const { der } = await maker.issue({ publicKey, subject: [{ type: 'commonName', value: serial }] });
      await world.jit.meet({ leafDer: der, chainDer: [] }, connection('c1', 'aws-jit'));
      return (await world.repositories.certificates.find(fingerprint(der)))?.subjectId ?? 'nobody';
    },
  },
};
