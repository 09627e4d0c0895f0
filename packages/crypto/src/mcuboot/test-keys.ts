import { encodeHex } from '@holdfast/kernel';
import { sha256 } from '../primitives/hash.ts';

/**
 * SHA-256 of the SubjectPublicKeyInfo of keys whose private half a vendor publishes for tests.
 *
 * Products shipped with them by mistake (GHSA-gcxh-546h-phg4): anyone can sign for such a device.
 */
const PUBLISHED: ReadonlyMap<string, string> = new Map([
  ['a14bcb1bf9bb821146ba32838217e476f5412621320534ffe490a1890c994660', 'MCUboot root-rsa-2048'],
  ['159d8b7930769d887f3ff0b4e9ec176b82313663f2ef76dc24f5e964da1bc482', 'MCUboot root-rsa-3072'],
  ['e30466f6b8470c1f29070b17f1e2d3e94d445e3f608087fdc711e4382bb538b6', 'MCUboot root-ec-p256'],
  ['6bcd1e16d80e5fe13a5307e6f1de8344c7e50e537d9962ce35ef6db5e642fae8', 'MCUboot root-ec-p384'],
  ['c1907fa4eac7fae3840a78902b6f0710b037e9968e5c6274a12a28790c7d4e3c', 'MCUboot root-ed25519'],
  ['b1d87d60173352b9a4808979790fc699fb4c4f83b49cf1970edd96ff4adc36a6', 'MCUboot root-ed25519-unknown'],
  ['3c23fc4e1d332a0c86e6a8bf6ecf26046d702302e135bf53fc04a009a33a78c5', 'MCUboot enc-ec256'],
  ['95ac5d264689fa25b14a87a9bc950abfb1a77e5e628e7b13b5f1940c9a1c65b8', 'MCUboot enc-rsa2048'],
  ['9a1dc1eb80199d8498f2a75dde0a7b75216e8302bf3a12bd04f153f48f3f24a0', 'MCUboot enc-x25519'],
  ['c68506cf094d423a30caf89999ec40cd8772c8ee7bd4488fa0b19aa7e184251b', 'MCUboot bad-enc-ec256'],
  ['512829aa1fdc74570c37bbc26667029b6f43eb79b94bad9090e77e7e436b0aac', 'MCUboot bad-enc-rsa2048'],
  ['517691a40a85ecd042b5e92af9b9038a1555e52c37b3e027be4a547792920619', 'MCUboot bad-enc-x25519'],
  ['6d480226638605f9f4cee9790630d5be3374d0deb0a43f19434bf60c9cc47c36', 'MCUboot cypress-test-ec-p256'],
  ['96e1c7403587c3d05ba00793ff280b5b989eea803b6cc6beb9d3afcf814d7f08', 'nrfutil debug key'],
]);

/** The name of the published test key with this SubjectPublicKeyInfo, or undefined. */
export function publishedTestKey(spki: Uint8Array): string | undefined {
  return PUBLISHED.get(encodeHex(sha256(spki)));
}
