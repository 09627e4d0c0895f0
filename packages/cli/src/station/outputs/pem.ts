import { encodePem } from '@holdfast/wire/pem';
import type { OutputFile, StationDevice } from './output.ts';

/** The certificate alone and with its issuers, and the roots; the key has its file from the beginning. */
export function pemFiles({ certificate, anchorsPem }: StationDevice): readonly OutputFile[] {
  const own = certificate?.chain[0];
  return [
    ...(certificate === undefined || own === undefined
      ? []
      : [
          { name: 'certificate.pem', content: encodePem('CERTIFICATE', own), secret: false },
          { name: 'chain.pem', content: certificate.chainPem, secret: false },
        ]),
    { name: 'roots.pem', content: anchorsPem, secret: false },
  ];
}
