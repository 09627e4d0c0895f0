import { decodeBase64, encodeBase64, encodeUtf8, HoldfastError, parseStrictJson } from '@holdfast/kernel';
import { JsonFields } from '../json/index.ts';
import { type ReleaseRoot, readReleaseRoot, releaseRootJson } from './release-root.ts';

const FORMAT_VERSION = 1;
const MAX_ANCHORS = 8;

/**
 * What a device trusts, put there in the factory step only. The attestation anchor is missing: it is the device's
 * own and goes the other way, from the device to the registry.
 */
export interface TrustAnchors {
  /** PEM certificates that the server's certificate must chain to. */
  readonly tlsAnchors: readonly string[];
  /** SubjectPublicKeyInfo (DER) of the key whose hash is in the fuses. */
  readonly bootKey: Uint8Array;
  readonly releaseRoot: ReleaseRoot;
}

export function encodeTrustAnchors({ tlsAnchors, bootKey, releaseRoot }: TrustAnchors): Uint8Array<ArrayBuffer> {
  const document = {
    formatVersion: FORMAT_VERSION,
    tlsAnchors: [...tlsAnchors],
    bootKey: encodeBase64(bootKey),
    releaseRoot: releaseRootJson(releaseRoot),
  };
  return encodeUtf8(`${JSON.stringify(document, undefined, 2)}\n`);
}

/** @throws `wire.malformed`, `wire.duplicate`, `wire.unsupported` */
export function decodeTrustAnchors(bytes: Uint8Array): TrustAnchors {
  const fields = new JsonFields(parseStrictJson(bytes), 'trust');
  if (fields.integer('formatVersion') !== FORMAT_VERSION) {
    throw new HoldfastError('wire.unsupported', { field: 'trust.formatVersion' });
  }
  const tlsAnchors = fields.texts('tlsAnchors', MAX_ANCHORS, { max: 16_384, pattern: /^-----BEGIN CERTIFICATE-----/ });
  if (tlsAnchors.length === 0) throw new HoldfastError('wire.malformed', { field: 'trust.tlsAnchors' });
  const bootKey = decodeBase64(fields.text('bootKey'), 'trust.bootKey');
  const releaseRoot = readReleaseRoot(fields.raw('releaseRoot'));
  fields.end();
  return { tlsAnchors, bootKey, releaseRoot };
}
