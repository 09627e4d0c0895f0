import path from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import { check, expectEqual, expectThat, type Report, type Stranger, wordsOf } from '../stranger.ts';
import { type Credential, type HoldfastWorld, PRODUCTS } from '../world/holdfast-world.ts';
import { npmVersion } from '../world/npm-package.ts';
import { succeed, toolVersion } from '../world/run-tool.ts';
import { makeStockRequest } from '../world/stock-csr.ts';
import { type AwsProtocol, connectAws } from './aws/aws-link.ts';
import { type Generation, provisioningOf } from './aws/provisioning.ts';
import { openHook, type TemplateHook } from './aws/template-hook.ts';

const FLEET = {
  Parameters: {
    SerialNumber: { Type: 'String' },
    Place: { Type: 'String', Default: 'hall' },
    'AWS::IoT::Certificate::Id': { Type: 'String' },
  },
  Mappings: { Hosts: { hall: { url: 'https://hall.example' }, roof: { url: 'https://roof.example' } } },
  Resources: {
    thing: {
      Type: 'AWS::IoT::Thing',
      Properties: { ThingName: { 'Fn::Sub': 'aws-${SerialNumber}' }, ThingGroups: [{ Ref: 'Place' }] },
    },
    certificate: {
      Type: 'AWS::IoT::Certificate',
      Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'Active' },
    },
  },
  DeviceConfiguration: { url: { 'Fn::FindInMap': ['Hosts', { Ref: 'Place' }, 'url'] } },
};

const JITP = {
  Parameters: { 'AWS::IoT::Certificate::CommonName': { Type: 'String' } },
  Resources: {
    thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'AWS::IoT::Certificate::CommonName' } } },
    certificate: { Type: 'AWS::IoT::Certificate', Properties: { CertificateId: 'made-elsewhere', Status: 'ACTIVE' } },
  },
};

const TEMPLATE = 'halls';
const COMBINATIONS = (['3.1.1', '5'] as const).flatMap((protocol) =>
  (['v1', 'v2'] as const).map((generation) => ({ protocol, generation })),
);

export const awsTemplates: Stranger = {
  name: 'aws-iot-device-sdk-v2 and openssl',
  source: 'npm',
  deed: 'provisions through a template with parameters and a hook; comes with a certificate of an authority openssl made',
  install: 'npm ci, apt-get install openssl',
  version: async () => {
    const openssl = await toolVersion('openssl', ['version']);
    return openssl && `${npmVersion('aws-iot-device-sdk-v2')} and ${openssl}`;
  },
  meet: async (world, report) => {
    const hook = await openHook(world);
    try {
      const { url, caPem } = hook;
      const body = { name: TEMPLATE, product: PRODUCTS.believed, body: JSON.stringify(FLEET), webhook: { url, caPem } };
      await world.api.call('templates.create', { body });
      for (const combination of COMBINATIONS) await provisionBy(world, report, { ...combination, hook });
    } finally {
      hook.close();
    }
    await comeFromMaker(world, report);
  },
};

interface Combination {
  readonly protocol: AwsProtocol;
  readonly generation: Generation;
  readonly hook: TemplateHook;
}

async function provisionBy(world: HoldfastWorld, report: Report, combination: Combination): Promise<void> {
  const { protocol, generation, hook } = combination;
  const name = `MQTT ${protocol}, ${generation} clients`;
  const serial = world.newSerial('hall');
  await check(
    report,
    `${name}: the template names the device, the hook its place, and the device is told`,
    async () => {
      const { thingName, deviceConfiguration, device } = await register(world, combination, serial);
      expectEqual([thingName, deviceConfiguration], [`aws-${serial}`, { url: 'https://roof.example' }], 'registration');
      expectEqual(hook.asked.at(-1), { SerialNumber: serial }, 'what the hook was asked');
      const { groups } = await world.api.call('devices.show', { device: thingName });
      expectEqual(groups, ['roof'], 'groups');
      await (await connectAws(world, protocol, device, thingName)).close();
    },
  );
  await check(report, `${name}: what the hook denies is AccessDenied`, async () => {
    const words = await register(world, combination, world.newSerial('banned')).then(() => 'registered', refusalWords);
    expectThat(words.includes('AccessDenied'), `answered ${words}`);
  });
}

async function register(world: HoldfastWorld, { protocol, generation }: Combination, serial: string) {
  const made = await world.api.call('claims.create', {
    body: { product: PRODUCTS.believed, serials: [serial], template: TEMPLATE },
  });
  const claim = world.keep(`claim-${serial}`, made.certificatePem, made.privateKeyPem);
  const link = await connectAws(world, protocol, claim, serial);
  try {
    const provisioning = await provisioningOf(link, generation);
    const request = await makeStockRequest(serial);
    const { certificatePem = '', certificateOwnershipToken = '' } = await provisioning.fromCsr(request.csrPem);
    const answer = await provisioning.register({
      templateName: TEMPLATE,
      certificateOwnershipToken,
      parameters: { SerialNumber: serial },
    });
    provisioning.close();
    const { thingName = '', deviceConfiguration } = answer;
    return { thingName, deviceConfiguration, device: world.keep(thingName, certificatePem, request.privateKeyPem) };
  } finally {
    await link.close();
  }
}

function refusalWords(error: unknown): string {
  const { reply, modeledError } = error as Record<string, unknown>;
  return `${wordsOf(error)} ${JSON.stringify([reply, modeledError])}`;
}

/** An authority as its owner makes it with openssl, and a device of it. */
async function comeFromMaker(world: HoldfastWorld, report: Report): Promise<void> {
  const maker = new OpensslMaker(world.scratch('maker'));
  const name = world.newSerial('made');
  await check(report, 'openssl proves an authority, and the server registers it', async () => {
    await maker.found();
    const { code } = await world.api.call('manufacturers.code', {});
    const verificationPem = await maker.certify('verification', code);
    const body = { name: 'makers', kind: 'jitp', product: PRODUCTS.believed, body: JSON.stringify(JITP) } as const;
    await world.api.call('templates.create', { body });
    await world.api.call('manufacturers.register', {
      body: { certificatePem: maker.certificatePem, verificationPem, template: 'makers' },
    });
  });
  for (const protocol of ['3.1.1', '5'] as const) {
    const device = `${name}-${protocol.replaceAll('.', '')}`;
    await check(
      report,
      `MQTT ${protocol}: a device of the authority is registered when it first connects`,
      async () => {
        const credential = await maker.device(world, device);
        await (await retried(() => connectAws(world, protocol, credential, device))).close();
        const shown = await world.api.call('devices.show', { device });
        expectEqual([shown.state, shown.certificates[0]?.door], ['active', 'aws-jit'], 'the device');
        await (await connectAws(world, protocol, credential, device)).close();
      },
    );
  }
  await check(report, 'a device of an authority nobody registered is refused', async () => {
    const other = new OpensslMaker(world.scratch('other-maker'));
    await other.found();
    const credential = await other.device(world, `${name}-other`);
    const outcome = await connectAws(world, '5', credential, `${name}-other`).then(
      (link) => link.close().then(() => 'connected'),
      () => 'refused',
    );
    expectEqual(outcome, 'refused', 'the connection');
  });
}

/** Just-in-time clients expect to be refused first; the doors hear of a new authority a moment after the registry. */
async function retried<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let left = 20; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const DEVICE = [
  'basicConstraints = critical, CA:FALSE',
  'keyUsage = critical, digitalSignature',
  'extendedKeyUsage = clientAuth',
  'subjectKeyIdentifier = hash',
  'authorityKeyIdentifier = keyid',
];

class OpensslMaker {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get certificatePem(): string {
    return readFileSync(this.#file('maker.crt'), 'utf8');
  }

  async found(): Promise<void> {
    const out = ['-keyout', this.#file('maker.key'), '-out', this.#file('maker.crt')];
    const usage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
    await succeed('openssl', ['req', '-x509', ...P256, ...out, '-days', '30', '-subj', '/O=Maker/CN=Maker', ...usage]);
    writeFileSync(this.#file('device.ext'), DEVICE.join('\n'));
  }

  /** A certificate for a common name. */
  async certify(name: string, commonName: string, extensions: readonly string[] = []): Promise<string> {
    const [key, csr, crt] = ['key', 'csr', 'crt'].map((kind) => this.#file(`${name}.${kind}`)) as [
      string,
      string,
      string,
    ];
    await succeed('openssl', ['req', '-new', ...P256, '-keyout', key, '-out', csr, '-subj', `/CN=${commonName}`]);
    const by = ['-CA', this.#file('maker.crt'), '-CAkey', this.#file('maker.key'), '-CAcreateserial', '-days', '30'];
    await succeed('openssl', ['x509', '-req', '-in', csr, ...by, ...extensions, '-out', crt]);
    return readFileSync(crt, 'utf8');
  }

  async device(world: HoldfastWorld, name: string): Promise<Credential> {
    const pem = await this.certify(name, name, ['-extfile', this.#file('device.ext')]);
    return world.keep(name, pem, readFileSync(this.#file(`${name}.key`), 'utf8'));
  }

  #file(name: string): string {
    return path.join(this.#folder, name);
  }
}
