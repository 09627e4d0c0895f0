import { createPrivateKey, createPublicKey } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { decryptNvs, fingerprint, sha256 } from '@holdfast/crypto';
import { decodeUtf8, encodeHex, systemRandom } from '@holdfast/kernel';
import { decodeEspSecureCert, ESP_SECURE_CERT_TYPE } from '@holdfast/wire/esp-secure-cert';
import { decodeNvsPartition } from '@holdfast/wire/esp32';
import { encodePem } from '@holdfast/wire/pem';
import { describe, expect, it } from 'vitest';
import { deviceInput, deviceKey, root, rootSigner } from '../../../../crypto/src/issuance/sample-authority.ts';
import { issueCertificate } from '../../../../crypto/src/issuance/certificate.ts';
import { FORMAT_NAMES, FORMATS, type FormatName, outputFiles, type StationDevice } from './index.ts';
import { labelText } from './label.ts';

const leaf = await issueCertificate(deviceInput(), rootSigner);
const issued: StationDevice = {
  serial: 'lamp:1',
  product: 'lamp',
  key: deviceKey,
  certificate: { chain: [leaf], chainPem: encodePem('CERTIFICATE', leaf), fingerprint: fingerprint(leaf) },
  anchorsPem: encodePem('CERTIFICATE', root.raw),
  rootFingerprint: fingerprint(root.raw),
  password: undefined,
  enrollUrl: 'https://h:8444',
  nvs: { length: 0x4000, encrypted: false },
  random: systemRandom,
};
const keyless: StationDevice = { ...issued, key: undefined };
const field: StationDevice = { ...keyless, certificate: undefined, password: 'abcdef-ghjkmn' };

const filesOf = async (device: StationDevice, ...formats: readonly FormatName[]) =>
  new Map((await outputFiles(device, formats)).map((file) => [file.name, file]));
const bytesOf = async (device: StationDevice, format: FormatName, name: string): Promise<Uint8Array> => {
  const content = (await filesOf(device, format)).get(name)?.content;
  return content === undefined ? new Uint8Array() : Buffer.from(content);
};
const isOwnKey = (pem: string) =>
  createPublicKey(createPrivateKey(pem)).export({ type: 'spki', format: 'der' }).equals(deviceKey.publicKey.spki);

describe('what a station writes', () => {
  it('keeps every file with a key or a password to its owner', async () => {
    const key = deviceKey.exportPkcs8().subarray(-20);
    const names = FORMAT_NAMES.filter((name) => name !== 'label');
    for (const { name, content, secret } of await outputFiles(issued, names)) {
      const text = Buffer.from(content).toString('latin1');
      const holdsKey = text.includes('PRIVATE KEY') || Buffer.from(content).includes(Buffer.from(key));
      expect([name, secret || !holdsKey]).toEqual([name, true]);
    }
    for (const { secret } of await outputFiles(field, ['label'])) expect(secret).toBe(true);
    for (const { secret } of await outputFiles(issued, ['label'])) expect(secret).toBe(false);
  });

  it('writes PEM of the certificate, the chain and the roots', async () => {
    const files = await filesOf(issued, 'pem');
    expect([...files.keys()]).toEqual(['certificate.pem', 'chain.pem', 'roots.pem']);
    expect(files.get('certificate.pem')?.content).toBe(encodePem('CERTIFICATE', leaf));
    expect([...(await filesOf(field, 'pem')).keys()]).toEqual(['roots.pem']);
  });

  it('writes PKCS #12 under a password of its own each time', async () => {
    const [one, other] = [await filesOf(issued, 'pkcs12'), await filesOf(issued, 'pkcs12')];
    const passphrase = String(one.get('identity.p12.password')?.content);
    const pfx = Buffer.from(one.get('identity.p12')?.content ?? '');
    expect(createSecureContext({ pfx, passphrase })).toBeDefined();
    expect(passphrase).toHaveLength(22);
    expect(passphrase).not.toBe(other.get('identity.p12.password')?.content);
  });

  it('writes an NVS partition with the names of Espressif’s tools, and one that only its own keys open', async () => {
    const items = decodeNvsPartition(await bytesOf(issued, 'nvs', 'nvs.bin'));
    expect(items.map(({ namespace, key }) => `${namespace}/${key}`)).toEqual([
      'esp_secure_cert/ca_cert',
      'esp_secure_cert/dev_cert',
      'esp_secure_cert/priv_key',
      'holdfast/serial',
    ]);
    expect(isOwnKey(String(items[2]?.value))).toBe(true);
    const sealed = await filesOf({ ...issued, nvs: { length: 0x4000, encrypted: true } }, 'nvs');
    const [partition, keys] = ['nvs.bin', 'nvs-keys.bin'].map((name) => Buffer.from(sealed.get(name)?.content ?? ''));
    expect(partition?.includes('PRIVATE KEY')).toBe(false);
    expect(decodeNvsPartition(decryptNvs(partition ?? Buffer.of(), keys ?? Buffer.of()))).toEqual(items);
    expect(decodeNvsPartition(await bytesOf(keyless, 'nvs', 'nvs.bin')).map(({ key }) => key)).not.toContain(
      'priv_key',
    );
  });

  it('writes an esp_secure_cert partition whose last entry covers all before it', async () => {
    const bytes = await bytesOf(issued, 'esp-secure-cert', 'esp_secure_cert.bin');
    const entries = decodeEspSecureCert(bytes);
    const { caCertificate, deviceCertificate, privateKey, integrity } = ESP_SECURE_CERT_TYPE;
    expect(entries.map(({ type }) => type)).toEqual([caCertificate, deviceCertificate, privateKey, integrity]);
    const [, , key, last] = entries;
    expect(encodeHex(last?.value ?? bytes)).toBe(encodeHex(sha256(bytes.subarray(0, last?.offset))));
    expect(isOwnKey(decodeUtf8(key?.value.subarray(0, -1) ?? bytes))).toBe(true);
    const without = decodeEspSecureCert(await bytesOf(keyless, 'esp-secure-cert', 'esp_secure_cert.bin'));
    expect(without.map(({ type }) => type)).toEqual([caCertificate, deviceCertificate, integrity]);
  });

  it('writes a C header that says no more than the files beside it', async () => {
    const text = String((await filesOf(issued, 'c-header')).get('holdfast_identity.h')?.content);
    expect(text).toContain('static const char holdfast_serial[] = "lamp:1";');
    const sizes = [...text.matchAll(/(\w+)\[(\d+)\] = \{([^}]*)\}/g)].map(([, name, size, body]) => [
      name,
      Number(size) === (body ?? '').split(',').length - 1,
    ]);
    expect(sizes).toEqual([
      ['holdfast_chain_pem', true],
      ['holdfast_roots_pem', true],
      ['holdfast_private_key_der', true],
    ]);
    expect(String((await filesOf(keyless, 'c-header')).get('holdfast_identity.h')?.content)).not.toContain('private');
  });

  it('writes on a label what opens the claim once, or which certificate the device has', async () => {
    expect(labelText(field)).toBe(
      `holdfast:1?serial=lamp%3A1&password=abcdef-ghjkmn&url=https%3A%2F%2Fh%3A8444&root=${fingerprint(root.raw)}`,
    );
    expect(labelText(issued)).toBe(
      `holdfast:1?serial=lamp%3A1&certificate=${fingerprint(leaf)}&root=${fingerprint(root.raw)}`,
    );
    const svg = String((await filesOf({ ...field, password: 'a<b&' }, 'label')).get('label.svg')?.content);
    expect(svg).toContain('>a&#60;b&#38;</text>');
  });

  it('names for every format the places it is made for, and makes something at each', async () => {
    const devices = { station: issued, csr: keyless, field };
    for (const name of FORMAT_NAMES) {
      for (const [place, device] of Object.entries(devices)) {
        const isFor = FORMATS[name].places.some((each) => each === place);
        expect([name, place, (await filesOf(device, name)).size > 0]).toEqual([name, place, isFor]);
      }
    }
  });
});
