export {
  type ManifestVerdict,
  type RootVerdict,
  signReleaseManifest,
  signReleaseRoot,
  verifyReleaseManifest,
  verifyRootChange,
} from './release.ts';
