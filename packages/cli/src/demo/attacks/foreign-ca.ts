import { createSigner, generatePrivateKey, issueCertificate } from '@holdfast/crypto';
import { decodePemBlocks, encodePem } from '@holdfast/wire/pem';
import {
  type Certificate,
  decodeCertificate,
  decodeGeneralNames,
  type Name,
  type NamePart,
  OID,
} from '@holdfast/wire/x509';
import { askHttps, type Credentials, knock, TLS_VERSIONS } from '../outsider.ts';
import { type Stage, STORY_HUBS } from '../stage.ts';
import { findingOf, type Observation, type Trial } from '../trial.ts';
import { soon } from '../waiting.ts';

const ACTION = 'auth.untrusted_ca';

export const FOREIGN_CA: Trial = {
  name: 'foreign-ca',
  title: 'a certificate of a foreign CA: same subject, same serial number, same issuer name',
  expected: 'refused in the handshake at both doors, by TLS 1.2 and 1.3, and left in the audit log',
  async perform(stage) {
    const forged = await forge(stage);
    const observations: Observation[] = [];
    for (const tls of TLS_VERSIONS) {
      const { answer, line } = await knock(stage, forged, { tls });
      observations.push([`MQTT ${tls}`, answer, answer.startsWith('no CONNACK')]);
      await line.close();
      const https = await askHttps(stage, forged, { tls });
      observations.push([`HTTPS ${tls}`, https.answer, https.answer.startsWith('no answer')]);
      await https.line.close();
    }
    const entries = (await soon(() => refusals(stage), stage)) ?? 0;
    return findingOf([...observations, ['audit', `${entries} × ${ACTION}`, entries > 0]]);
  },
};

async function refusals(stage: Stage): Promise<number | undefined> {
  const { rows } = await stage.client.call('audit.list', { query: { action: ACTION } });
  return rows.length === 0 ? undefined : rows.length;
}

/** Everything a reader of certificates would compare, under another key. */
async function forge(stage: Stage): Promise<Credentials> {
  const { serial } = STORY_HUBS.csr;
  const { chainPem = '' } = await stage.client.call('devices.show', { device: serial });
  const [leaf, issuer] = decodePemBlocks(chainPem).map(({ bytes }) => decodeCertificate(bytes));
  if (leaf === undefined || issuer === undefined) throw new TypeError('a device without a chain');
  const caKey = await generatePrivateKey('P-256');
  const ca = await issueCertificate({ profile: 'root', ...copied(issuer, caKey.publicKey.spki) }, createSigner(caKey));
  const key = await generatePrivateKey('P-256');
  const san = leaf.extensions.filter(({ oid }) => oid === OID.subjectAltName);
  const certificate = await issueCertificate(
    {
      profile: 'device-ldevid',
      ...copied(leaf, key.publicKey.spki),
      san: san.flatMap(({ value }) => decodeGeneralNames(value)),
      issuer: decodeCertificate(ca),
    },
    createSigner(caKey),
  );
  const chain = [certificate, ca].map((der) => encodePem('CERTIFICATE', der)).join('');
  return { certificatePem: chain, keyPem: key.exportPem(), clientId: serial };
}

function copied({ subject, serialBytes, validity }: Certificate, publicKey: Uint8Array) {
  return { publicKey, serial: serialBytes, ...validity, subjectName: partsOf(subject) };
}

const PARTS = ['commonName', 'organization', 'organizationalUnit', 'serialNumber'] as const;

function partsOf({ rdns }: Name): readonly NamePart[] {
  return rdns.flat().flatMap(({ type: oid, text }) => {
    const type = PARTS.find((part) => OID[part] === oid);
    return type === undefined || text === undefined ? [] : [{ type, value: text }];
  });
}
