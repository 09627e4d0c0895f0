import { fromBER } from 'asn1js';
import { Certificate } from 'pkijs';

/** A certificate as pkijs reads it: never our own codec, which would agree with itself. */
export type ReadCertificate = Certificate;

export interface ReadExtension {
  readonly oid: string;
  readonly critical: boolean;
  /** DER inside the OCTET STRING. */
  readonly value: Uint8Array;
  /** What pkijs made of the value; its shape depends on the extension. */
  readonly parsed: unknown;
}

export function readCertificate(der: Uint8Array): ReadCertificate {
  const { result, offset } = fromBER(Uint8Array.from(der).buffer);
  if (offset !== der.length) throw new Error(`pkijs read ${offset} of ${der.length} octets`);
  return new Certificate({ schema: result });
}

export function extensionsOf({ extensions = [] }: ReadCertificate): readonly ReadExtension[] {
  return extensions.map(({ extnID, critical, extnValue, parsedValue }) => ({
    oid: extnID,
    critical,
    value: new Uint8Array(extnValue.valueBlock.valueHexView),
    parsed: parsedValue as unknown,
  }));
}

export function extensionOf(certificate: ReadCertificate, oid: string): ReadExtension | undefined {
  return extensionsOf(certificate).find((extension) => extension.oid === oid);
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
