export {
  decodeEspSecureCert,
  encodeEspSecureCert,
  ESP_SECURE_CERT_LENGTH,
  ESP_SECURE_CERT_TYPE,
  type EspSecureCertEntry,
  type PlacedEspSecureCertEntry,
} from './partition.ts';
