import { HoldfastError } from '@holdfast/kernel';
import {
  decodeDer,
  encodeBoolean,
  encodeContext,
  encodeInteger,
  encodeOctetString,
  encodeOid,
  encodeSequence,
} from '../asn1/index.ts';
import { decodePem, encodePem } from '../pem/index.ts';

const LABEL = 'TSS2 PRIVATE KEY';
/** id-loadablekey of the TCG arc (draft-bottomley-tpm2-keys, 3). */
const LOADABLE = '2.23.133.10.1.3';

/** A key that only the TPM that made it can load: a reference, not a secret. */
export interface LoadableTpmKey {
  /** Handle of the storage key above it: a persistent object, or the hierarchy whose primary P-256 key it is. */
  readonly parent: number;
  /** TPM2B_PUBLIC, size in front. */
  readonly publicArea: Uint8Array;
  /** TPM2B_PRIVATE, size in front; encrypted by the TPM. */
  readonly privateArea: Uint8Array;
}

/** The file that tpm2-openssl, tpm2-tools and the kernel read as well (draft-bottomley-tpm2-keys). */
export function encodeLoadableKey({ parent, publicArea, privateArea }: LoadableTpmKey): string {
  return encodePem(
    LABEL,
    encodeSequence(
      encodeOid(LOADABLE),
      encodeContext(0, encodeBoolean(true)),
      encodeInteger(parent),
      encodeOctetString(publicArea),
      encodeOctetString(privateArea),
    ),
  );
}

/** @throws `wire.malformed` and the like for anything else; `wire.unsupported` for keys with a password or a policy */
export function decodeLoadableKey(pem: string | Uint8Array): LoadableTpmKey {
  return decodeDer(decodePem(pem, LABEL), 'tpm key', (whole) => {
    const reader = whole.sequence('tpm key');
    if (reader.oid('type') !== LOADABLE) throw new HoldfastError('wire.unsupported', { field: 'type' });
    const emptyAuth = reader.enterOptional(0xa0, 'emptyAuth');
    const isOpen = emptyAuth?.boolean('emptyAuth') ?? false;
    emptyAuth?.end('emptyAuth');
    if (!isOpen) throw new HoldfastError('wire.unsupported', { field: 'emptyAuth' });
    const parent = reader.uint('parent', 0xffffffff);
    const key = { parent, publicArea: reader.octetString('pubkey'), privateArea: reader.octetString('privkey') };
    reader.end('tpm key');
    return key;
  });
}
