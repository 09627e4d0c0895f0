export {
  encodeRaucTail,
  isSquashfs,
  RAUC_BLOCK,
  RAUC_TAIL,
  type RaucLayout,
  readRaucLayout,
  readSquashfsSize,
  SQUASHFS_HEAD,
} from './bundle.ts';
export {
  decodeRaucManifest,
  type RaucImage,
  type RaucManifest,
  type RaucVerity,
  sealRaucManifest,
} from './manifest.ts';
