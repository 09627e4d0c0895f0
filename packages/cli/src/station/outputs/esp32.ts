import { encryptNvs, type PrivateKey, sha256 } from '@holdfast/crypto';
import { concatBytes, encodeUtf8 } from '@holdfast/kernel';
import { encodeEspSecureCert, ESP_SECURE_CERT_TYPE } from '@holdfast/wire/esp-secure-cert';
import { encodeNvsKeys, encodeNvsPartition, type NvsItem } from '@holdfast/wire/esp32';
import type { OutputFile, StationDevice } from './output.ts';

/** Names as esp_secure_cert_mgr and the factory tools around it have them. */
const NAMESPACE = 'esp_secure_cert';

/** An NVS partition with the identity as texts, and with its own key partition where it is to be encrypted. */
export function nvsFiles(device: StationDevice): readonly OutputFile[] {
  const { certificate, key, anchorsPem, nvs, random, serial } = device;
  if (certificate === undefined) return [];
  const text = (name: string, value: string): NvsItem => ({ namespace: NAMESPACE, key: name, kind: 'string', value });
  const plain = encodeNvsPartition(
    [
      text('ca_cert', anchorsPem),
      text('dev_cert', certificate.chainPem),
      ...(key === undefined ? [] : [text('priv_key', traditionalPem(key))]),
      { namespace: 'holdfast', key: 'serial', kind: 'string', value: serial },
    ],
    nvs.length,
  );
  if (!nvs.encrypted) return [{ name: 'nvs.bin', content: plain, secret: true }];
  const keys = encodeNvsKeys(random.bytes(64));
  return [
    { name: 'nvs.bin', content: encryptNvs(plain, keys), secret: true },
    { name: 'nvs-keys.bin', content: keys, secret: true },
  ];
}

/** A partition of type 0x3F named `esp_secure_cert`, as esp_secure_cert_mgr reads it. */
export function espSecureCertFiles({ certificate, key, anchorsPem }: StationDevice): readonly OutputFile[] {
  if (certificate === undefined) return [];
  const entry = (type: number, value: Uint8Array) => ({ type, subtype: 0, flags: 0, value });
  const entries = [
    entry(ESP_SECURE_CERT_TYPE.caCertificate, cString(anchorsPem)),
    entry(ESP_SECURE_CERT_TYPE.deviceCertificate, cString(certificate.chainPem)),
    ...(key === undefined ? [] : [entry(ESP_SECURE_CERT_TYPE.privateKey, cString(traditionalPem(key)))]),
  ];
  const integrity = entry(ESP_SECURE_CERT_TYPE.integrity, sha256(encodeEspSecureCert(entries)));
  const content = encodeEspSecureCert([...entries, integrity]);
  return [{ name: 'esp_secure_cert.bin', content, secret: true }];
}

/** `EC PRIVATE KEY` (RFC 5915), the form Espressif's tools store. */
function traditionalPem(key: PrivateKey): string {
  return key.keyObject.export({ type: 'sec1', format: 'pem' }).toString();
}

function cString(text: string): Uint8Array {
  return concatBytes(encodeUtf8(text), Uint8Array.of(0));
}
