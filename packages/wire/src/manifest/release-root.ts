import {
  decodeBase64,
  encodeBase64,
  encodeCanonicalJson,
  encodeUtf8,
  HoldfastError,
  type JsonValue,
  parseStrictJson,
} from '@holdfast/kernel';
import { JsonFields } from '../json/index.ts';

/** `payloadType` of a DSSE envelope around a release root. */
export const ROOT_PAYLOAD_TYPE = 'application/vnd.holdfast.release-root+json';

const FORMAT_VERSION = 1;
const MAX_KEYS = 16;

/** Who may sign releases: `threshold` different keys of these. */
export interface ReleaseRoot {
  /** From 1; a device goes from one version to the next only. */
  readonly version: number;
  readonly threshold: number;
  /** SubjectPublicKeyInfo, DER, all different. */
  readonly keys: readonly Uint8Array[];
}

export function releaseRootJson(root: ReleaseRoot): JsonValue {
  return {
    formatVersion: FORMAT_VERSION,
    version: root.version,
    threshold: root.threshold,
    keys: root.keys.map(encodeBase64),
  };
}

/** The bytes that are signed: JSON with sorted keys. @throws `wire.malformed` for a root nobody could satisfy */
export function encodeReleaseRoot(root: ReleaseRoot): Uint8Array<ArrayBuffer> {
  readReleaseRoot(releaseRootJson(root));
  return encodeUtf8(encodeCanonicalJson(releaseRootJson(root)));
}

/** @throws `wire.malformed`, `wire.duplicate`, `wire.unsupported` */
export function decodeReleaseRoot(payload: Uint8Array): ReleaseRoot {
  return readReleaseRoot(parseStrictJson(payload));
}

/** As `decodeReleaseRoot`, from parsed JSON. */
export function readReleaseRoot(value: JsonValue): ReleaseRoot {
  const fields = new JsonFields(value, 'root');
  if (fields.integer('formatVersion') !== FORMAT_VERSION) {
    throw new HoldfastError('wire.unsupported', { field: 'root.formatVersion' });
  }
  const version = fields.integer('version', { min: 1 });
  const texts = fields.texts('keys', MAX_KEYS, { max: 1024 });
  // A threshold of 0 would let anybody sign; one above the keys, nobody (go-tuf GHSA-fphv-w9fq-2525).
  const threshold = fields.integer('threshold', { min: 1, max: texts.length });
  if (new Set(texts).size !== texts.length) throw new HoldfastError('wire.duplicate', { field: 'root.keys' });
  fields.end();
  return { version, threshold, keys: texts.map((text) => decodeBase64(text, 'root.keys')) };
}
