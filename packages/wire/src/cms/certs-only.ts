import { HoldfastError } from '@holdfast/kernel';
import {
  compareEncodings,
  contextConstructed,
  decodeDer,
  encodeContext,
  encodeInteger,
  encodeOid,
  encodeSequence,
  encodeSetOf,
  TAG,
} from '../asn1/index.ts';
import { OID } from '../x509/index.ts';

const MAX_CERTIFICATES = 64;

/** A degenerate SignedData that only carries certificates (RFC 5652 5.1; EST certs-only, RFC 7030 4.1.3). */
export function encodeCertsOnly(certificates: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const sorted = [...certificates].sort(compareEncodings);
  return encodeSequence(
    encodeOid(OID.signedData),
    encodeContext(
      0,
      encodeSequence(
        encodeInteger(1),
        encodeSetOf(),
        encodeSequence(encodeOid(OID.data)),
        encodeContext(0, ...sorted),
        encodeSetOf(),
      ),
    ),
  );
}

/**
 * The certificates of a certs-only SignedData, in the order found; nothing about them is checked.
 *
 * @throws `wire.malformed` when it signs or carries anything else; `wire.too_large` over 64 certificates.
 */
export function decodeCertsOnly(bytes: Uint8Array): readonly Uint8Array[] {
  return decodeDer(bytes, 'contentInfo', (whole) => {
    const info = whole.sequence('contentInfo');
    if (info.oid('contentType') !== OID.signedData) throw new HoldfastError('wire.malformed', { field: 'contentType' });
    const explicit = info.enter(contextConstructed(0), 'content');
    info.end('contentInfo');
    const reader = explicit.sequence('signedData');
    explicit.end('content');
    reader.uint('version', 5);
    reader.enter(TAG.set, 'digestAlgorithms').rest('digestAlgorithms', (item) => item.any('digestAlgorithm'), 16);
    const content = reader.sequence('encapContentInfo');
    content.oid('eContentType');
    content.end('encapContentInfo');
    const set = reader.enterOptional(contextConstructed(0), 'certificates');
    const certificates = set?.rest(
      'certificates',
      (item) => item.expect(TAG.sequence, 'certificate').raw,
      MAX_CERTIFICATES,
    );
    if (reader.peekTag() === contextConstructed(1)) reader.any('crls');
    reader.enter(TAG.set, 'signerInfos').end('signerInfos');
    reader.end('signedData');
    return certificates ?? [];
  });
}
