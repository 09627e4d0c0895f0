import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { connect } from 'node:tls';
import { createSigner, generatePrivateKey, issueCertificate, issueCrl, newSerial } from '@holdfast/crypto';
import { systemRandom } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import { type Certificate, type CertificateProfile, decodeCertificate, PROFILES } from '@holdfast/wire/x509';
import { HOST, type HoldfastWorld } from './holdfast-world.ts';
import { succeed } from './run-tool.ts';

/** A certificate with the chain that leads to it and the list that would revoke it. */
export interface IssuedCertificate {
  readonly name: string;
  readonly der: Uint8Array;
  readonly file: string;
  readonly rootFile: string;
  /** Authorities between it and the root, if any, PEM. */
  readonly chainFile: string;
  /** Its issuer, DER. */
  readonly issuerDer: Uint8Array;
  /** PEM of the issuer's list, where there is one. */
  readonly crlFile: string | undefined;
  /** openssl's word for its purpose. */
  readonly purpose: string | undefined;
  readonly isAuthority: boolean;
}

const DAY_MS = 86_400_000;

/** Every certificate the running server made by now: authorities, servers, a claim, devices of each door. */
export async function issuedByServer(world: HoldfastWorld): Promise<readonly IssuedCertificate[]> {
  const folder = world.scratch('issued');
  const save = saver(folder);
  const device = await world.enroll('lint');
  const claim = await world.claimFor(world.newSerial('lint'));
  const listeners = Object.entries(world.ports).filter(([name]) => name !== 'public');
  const servers = await Promise.all(
    listeners.map(
      async ([name, port]) => [`server of the ${name} port`, await serverCertificate(world, port)] as const,
    ),
  );
  const rootDer = derOf(world.rootPem);
  const issuingDer = servers[0]?.[1].issuerDer ?? rootDer;
  const [rootFile, chainFile] = [save('root', pem(rootDer)), save('chain', pem(issuingDer))];
  // Each certificate names the part of the list that it stands in; another part says nothing of it.
  const leaf = async (name: string, der: Uint8Array, purpose: string): Promise<IssuedCertificate> => {
    const file = save(name, pem(der));
    const input = await world.fetchCrl(file);
    const crlFile = save(`${name} list`, (await succeed('openssl', ['crl', '-inform', 'DER'], { input })).toString());
    return { name, der, file, rootFile, chainFile, issuerDer: issuingDer, crlFile, purpose, isAuthority: false };
  };
  const authority = {
    chainFile,
    rootFile,
    issuerDer: rootDer,
    crlFile: undefined,
    purpose: undefined,
    isAuthority: true,
  };
  return [
    { ...authority, name: 'root', der: rootDer, file: rootFile },
    { ...authority, name: 'issuing', der: issuingDer, file: chainFile },
    ...(await Promise.all([
      ...servers.map(([name, { der }]) => leaf(name, der, 'sslserver')),
      leaf('claim', derOf(claim.certificatePem), 'sslclient'),
      leaf('device by EST', derOf(device.certificatePem), 'sslclient'),
      ...world
        .kept('aws-')
        .map(([name, text]) => leaf(`device by fleet provisioning, ${name}`, derOf(text), 'sslclient')),
    ])),
  ];
}

const PURPOSES: Partial<Record<CertificateProfile, string>> = {
  'device-ldevid': 'sslclient',
  claim: 'sslclient',
  operator: 'sslclient',
  server: 'sslserver',
  'ocsp-signer': 'ocsphelper',
};

/** One of every profile there is, whether or not the server had a reason to issue it. */
export async function issuedByProfile(world: HoldfastWorld): Promise<readonly IssuedCertificate[]> {
  const save = saver(world.scratch('profiles'));
  const [rootKey, issuingKey, leafKey] = await Promise.all([
    generatePrivateKey('P-256'),
    generatePrivateKey('P-256'),
    generatePrivateKey('P-256'),
  ]);
  const now = Date.now() - (Date.now() % 1000);
  const given = (name: string, days: number) => ({
    subjectName: [{ type: 'commonName', value: name }] as const,
    serial: newSerial(systemRandom),
    notBefore: now - DAY_MS,
    notAfter: now + days * DAY_MS,
  });
  const [rootSigner, issuingSigner] = [createSigner(rootKey), createSigner(issuingKey)];
  const root = decodeCertificate(
    await issueCertificate({ ...given('root', 300), profile: 'root', publicKey: rootKey.publicKey }, rootSigner),
  );
  const issuing = decodeCertificate(
    await issueCertificate(
      { ...given('issuing', 200), profile: 'issuing', issuer: root, publicKey: issuingKey.publicKey },
      rootSigner,
    ),
  );
  const listOf = async (issuer: Certificate, signer: typeof rootSigner): Promise<string> =>
    encodePem(
      'X509 CRL',
      await issueCrl({ issuer, thisUpdate: now, nextUpdate: now + DAY_MS, entries: [], crlNumber: 1n }, signer),
    );
  const [rootFile, chainFile, crlFile] = [
    save('root', pem(root.raw)),
    save('chain', pem(issuing.raw)),
    save('list', await listOf(issuing, issuingSigner)),
  ];
  const rest = (Object.keys(PROFILES) as CertificateProfile[]).filter((name) => name !== 'root' && name !== 'issuing');
  return await Promise.all(
    rest.map(async (profile) => {
      // An authority below the issuing one would break its path length of 0.
      const below = PROFILES[profile].ca
        ? { issuer: root, signer: rootSigner }
        : { issuer: issuing, signer: issuingSigner };
      const der = await issueCertificate(
        {
          ...given(profile, 30),
          profile,
          issuer: below.issuer,
          publicKey: leafKey.publicKey,
          crlUris: ['http://crl.test/1.crl'],
          san:
            profile === 'server' ? [{ kind: 'dns', text: 'hub.test' }] : [{ kind: 'uri', text: `urn:test:${profile}` }],
        },
        below.signer,
      );
      return {
        name: `profile ${profile}`,
        der,
        file: save(profile, pem(der)),
        rootFile,
        chainFile,
        issuerDer: below.issuer.raw,
        crlFile: PROFILES[profile].ca ? undefined : crlFile,
        purpose: PURPOSES[profile],
        isAuthority: PROFILES[profile].ca,
      };
    }),
  );
}

interface Seen {
  readonly der: Uint8Array;
  readonly issuerDer: Uint8Array;
}

/** What a port shows before it asks who we are. */
async function serverCertificate(world: HoldfastWorld, port: number): Promise<Seen> {
  const socket = connect({ host: HOST, port, servername: HOST, ca: world.rootPem });
  socket.on('error', () => undefined);
  try {
    await once(socket, 'secureConnect');
    const { raw, issuerCertificate } = socket.getPeerCertificate(true);
    return { der: Uint8Array.from(raw), issuerDer: Uint8Array.from(issuerCertificate.raw) };
  } finally {
    socket.destroy();
  }
}

function saver(folder: string): (name: string, text: string) => string {
  return (name, text) => {
    const file = path.join(folder, `${name.replaceAll(' ', '-')}.pem`);
    writeFileSync(file, text);
    return file;
  };
}

const pem = (der: Uint8Array): string => encodePem('CERTIFICATE', der);

function derOf(text: string): Uint8Array {
  const body = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(text)?.[1] ?? '';
  return Uint8Array.from(Buffer.from(body, 'base64'));
}
