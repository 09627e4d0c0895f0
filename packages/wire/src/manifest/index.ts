export {
  decodeReleaseManifest,
  encodeReleaseManifest,
  MANIFEST_NAME,
  MANIFEST_PAYLOAD_TYPE,
  type ReleaseManifest,
} from './release-manifest.ts';
export {
  decodeReleaseRoot,
  encodeReleaseRoot,
  type ReleaseRoot,
  ROOT_PAYLOAD_TYPE,
} from './release-root.ts';
export { decodeTrustAnchors, encodeTrustAnchors, type TrustAnchors } from './trust-anchors.ts';
