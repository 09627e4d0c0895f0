import {
  decodeHex,
  encodeCanonicalJson,
  encodeHex,
  encodeUtf8,
  HoldfastError,
  parseStrictJson,
} from '@holdfast/kernel';
import { JsonFields } from '../json/index.ts';

/** `payloadType` of a DSSE envelope around a release manifest. */
export const MANIFEST_PAYLOAD_TYPE = 'application/vnd.holdfast.release-manifest+json';

const FORMAT_VERSION = 1;
/** What a manifest may call a tenant, a product or a hardware revision. */
export const MANIFEST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const VERSION = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,4})(\+(0|[1-9]\d{0,9}))?$/;

/** What a device checks an update against; nothing that is not here is believed. */
export interface ReleaseManifest {
  readonly tenant: string;
  readonly product: string;
  readonly hardwareRevision: string;
  /** As in the image's header: major.minor.revision, with +build when it is not 0. */
  readonly version: string;
  readonly securityCounter: number;
  /** SHA-256 of the whole signed file, 32 bytes. */
  readonly imageSha256: Uint8Array;
  /** Bytes of the whole signed file. */
  readonly length: number;
  /** Order of releases of one product: a device never takes a lower one than it has taken. */
  readonly sequence: number;
  /** Milliseconds since the Unix epoch, whole seconds; absent when the release does not expire. */
  readonly expires?: number;
}

/** The bytes that are signed: JSON with sorted keys. @throws `wire.malformed` for a value outside its field */
export function encodeReleaseManifest(manifest: ReleaseManifest): Uint8Array<ArrayBuffer> {
  const { tenant, product, hardwareRevision, version, securityCounter, imageSha256, length, sequence, expires } =
    manifest;
  const bytes = encodeUtf8(
    encodeCanonicalJson({
      formatVersion: FORMAT_VERSION,
      tenant,
      product,
      hardwareRevision,
      version,
      securityCounter,
      imageSha256: encodeHex(imageSha256),
      length,
      sequence,
      ...(expires === undefined ? {} : { expires: formatTime(expires) }),
    }),
  );
  decodeReleaseManifest(bytes);
  return bytes;
}

/**
 * Strict: no unknown member, no repeated key, one form of every value.
 *
 * @throws `wire.malformed`, `wire.duplicate`; `wire.unsupported` for another format version
 */
export function decodeReleaseManifest(payload: Uint8Array): ReleaseManifest {
  const fields = new JsonFields(parseStrictJson(payload), 'manifest');
  if (fields.integer('formatVersion') !== FORMAT_VERSION) {
    throw new HoldfastError('wire.unsupported', { field: 'manifest.formatVersion' });
  }
  const expires = fields.optional('expires', (from, name) => parseTime(from.text(name, { max: 20 }), name));
  const manifest = {
    tenant: fields.text('tenant', { pattern: MANIFEST_NAME }),
    product: fields.text('product', { pattern: MANIFEST_NAME }),
    hardwareRevision: fields.text('hardwareRevision', { pattern: MANIFEST_NAME }),
    version: fields.text('version', { pattern: VERSION }),
    securityCounter: fields.integer('securityCounter', { max: 0xffffffff }),
    imageSha256: decodeHex(fields.text('imageSha256', { pattern: /^[0-9a-f]{64}$/ })),
    length: fields.integer('length', { min: 1, max: 0xffffffff }),
    sequence: fields.integer('sequence', { min: 1 }),
    ...(expires === undefined ? {} : { expires }),
  };
  fields.end();
  return manifest;
}

/** RFC 3339 UTC in whole seconds. */
function formatTime(at: number): string {
  return new Date(at).toISOString().replace(/\.000Z$/, 'Z');
}

function parseTime(text: string, field: string): number {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN;
  // Date.parse moves 31 February into March; one value has one text.
  if (Number.isNaN(at) || formatTime(at) !== text)
    throw new HoldfastError('wire.malformed', { field: `manifest.${field}` });
  return at;
}
