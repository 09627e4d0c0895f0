import type { ErrorSpec } from './error-spec.ts';

const REFUSED = { http: 422, exit: 1, retry: false } as const;
const BAD_DATA = { http: 400, exit: 65, retry: false } as const;
const USAGE = { http: 400, exit: 64, retry: false } as const;

/** Why an image, a key or an option of the boot room is refused. Verdicts of the verifiers carry these codes. */
export const BOOT_ERRORS = {
  'boot.bad_magic': {
    message: 'this is not an image of the named format',
    ...REFUSED,
    next: 'check the file and --format',
  },
  'boot.bad_header': {
    message: 'a field of the image header is outside its rules',
    ...REFUSED,
    next: 'look at the named field with: holdfast boot inspect FILE',
  },
  'boot.unsupported_flag': {
    message: 'the image header sets a flag that no boot code here supports',
    ...REFUSED,
    next: 'build the image again without that flag',
  },
  'boot.bad_tlv': {
    message: 'the metadata of the image does not follow the format',
    ...REFUSED,
    next: 'look at the named offset with: holdfast boot inspect FILE',
  },
  'boot.tlv_not_allowed': {
    message: 'a metadata entry stands where its type is not allowed',
    ...REFUSED,
    next: 'sign the image again; entries that matter belong into the signed part',
  },
  'boot.tlv_duplicate': {
    message: 'a metadata entry that must be unique appears twice',
    ...REFUSED,
    next: 'sign the image again from its payload',
  },
  'boot.trailing_bytes': {
    message: 'bytes that no signature covers follow the image',
    ...REFUSED,
    next: 'remove what follows the image, or pad it with a trailer when signing',
  },
  'boot.hash_missing': { message: 'the image carries no hash', ...REFUSED, next: 'sign the image again' },
  'boot.hash_mismatch': {
    message: 'the image does not match its own hash',
    ...REFUSED,
    next: 'fetch or build the image again; it was altered or cut',
  },
  'boot.checksum_mismatch': {
    message: 'a checksum inside the image does not match',
    ...REFUSED,
    next: 'fetch or build the image again; it was altered or cut',
  },
  'boot.signature_missing': {
    message: 'the image is not signed',
    ...REFUSED,
    next: 'sign it with: holdfast boot sign',
  },
  'boot.bad_signature': {
    message: 'the signature does not match the image',
    ...REFUSED,
    next: 'check which key signed and that the image is unchanged',
  },
  'boot.signature_encoding': {
    message: 'the signature is not in its one exact encoding',
    ...REFUSED,
    next: 'sign the image again; bytes after or inside the signature could be changed by anyone',
  },
  'boot.unknown_key': {
    message: 'the image is signed by a key that is not trusted here',
    ...REFUSED,
    next: 'verify with the public key of the signer, or sign with a trusted key',
  },
  'boot.counter_missing': {
    message: 'the image carries no security counter where one is required',
    ...REFUSED,
    next: 'sign it again with --security-counter',
  },
  'boot.counter_too_low': {
    message: 'the security counter of the image is below the floor',
    ...REFUSED,
    next: 'release a version with a counter at or above the floor',
  },
  'boot.encrypted': {
    message: 'the image is encrypted and cannot be judged without its key',
    ...REFUSED,
    next: 'decrypt it first, or verify before encryption',
  },
  'boot.compressed': {
    message: 'compressed images are not accepted',
    ...REFUSED,
    next: 'sign the uncompressed image',
  },
  'boot.not_bootable': {
    message: 'the image is marked as not bootable',
    ...REFUSED,
    next: 'sign it without the non-bootable mark',
  },
  'boot.rehearsal_cancelled': {
    message: 'the rehearsal of the release was cancelled',
    http: 409,
    exit: 75,
    retry: true,
    next: 'start it again with: holdfast update release rehearse RELEASE',
  },
  'boot.rehearsal_failed': {
    message: 'the rehearsal of the release ended without a report',
    http: 503,
    exit: 75,
    retry: true,
    next: 'start it again with: holdfast update release rehearse RELEASE; the log says why it ended',
  },
  'boot.rehearsal_refused': {
    message: 'the release did not pass its rehearsal in the virtual chip of its product',
    ...REFUSED,
    next: 'read the report with: holdfast update release show RELEASE; then publish a version that boots',
  },
  'boot.key_set_full': {
    message: 'the boot code has no place for another key',
    http: 409,
    exit: 1,
    retry: false,
    next: 'a place is never used twice: start a new product for devices with another boot code',
  },
  'boot.key_exists': {
    message: 'the product has this key already',
    http: 409,
    exit: 1,
    retry: false,
    next: 'see its keys with: holdfast product key list PRODUCT',
  },
  'boot.unknown_image_key': {
    message: 'the product has no such key, or more than one that could be meant',
    http: 404,
    exit: 1,
    retry: false,
    next: 'see its keys with: holdfast product key list PRODUCT; then name one with --key',
  },
  'boot.key_state': {
    message: 'the state of the key does not allow this',
    http: 409,
    exit: 1,
    retry: false,
    next: 'rotate to another key before you revoke the active one; a revoked key never signs again',
  },
  'boot.rotation_strands': {
    message: 'devices in the field hold only keys that would sign nothing any more',
    http: 409,
    exit: 1,
    retry: false,
    next: 'keep signing with the key they hold, or give --strand-devices and lose their updates',
  },
  'boot.test_key': {
    message: 'this key is published by a vendor for tests: everyone has its private half',
    http: 422,
    exit: 77,
    retry: false,
    next: 'make your own with: holdfast boot keygen',
  },
  'boot.unsupported_key': {
    message: 'the format does not know keys of this kind or size',
    ...BAD_DATA,
    next: 'use a key kind that the format lists',
  },
  'boot.private_key_needed': {
    message: 'signing needs a private key and this is a public one',
    ...USAGE,
    next: 'give the private key, or use --to-be-signed and --signature',
  },
  'boot.bad_version': {
    message: 'the version is not of the form major.minor.revision+build',
    ...USAGE,
    next: 'give for instance 1.2.3+4; the limits are 255, 255, 65535 and 4294967295',
  },
  'boot.bad_option': {
    message: 'an option of the image has a value outside its rules',
    ...USAGE,
    next: 'look at the named option in: holdfast boot sign --help',
  },
  'boot.header_not_blank': {
    message: 'the payload does not begin with room for the header',
    ...BAD_DATA,
    next: 'use --pad-header, or leave zeros of the header size at the start of the payload',
  },
  'boot.image_too_large': {
    message: 'the image and its trailer do not fit the slot',
    ...BAD_DATA,
    next: 'make the image smaller or the slot larger',
  },
  'boot.unknown_format': {
    message: 'there is no image format of this name',
    ...USAGE,
    next: 'use one of the formats in: holdfast boot --help',
  },
  'boot.unsupported_operation': {
    message: 'the format does not offer this operation',
    ...USAGE,
    next: 'see what each format offers in: holdfast boot --help',
  },
  'boot.bad_hex': {
    message: 'the file is not well-formed Intel HEX',
    ...BAD_DATA,
    next: 'look at the named line, or give a raw binary',
  },
  'boot.decrypt_failed': {
    message: 'the image cannot be decrypted with this key',
    ...BAD_DATA,
    next: 'use the key whose public half encrypted the image',
  },
  'boot.bad_key_file': {
    message: 'the file holds no key that can be read',
    ...BAD_DATA,
    next: 'give a PEM or DER key (PKCS#8, SEC1, PKCS#1, SubjectPublicKeyInfo), with --passphrase if it is encrypted',
  },
  'boot.result_refused': {
    message: 'the signed image was refused by our own verifier and is not handed out',
    ...BAD_DATA,
    next: 'check that the signature was made over the to-be-signed bytes by the named key',
  },
  'boot.debug_image': {
    message: 'the image carries a debug mark that switches checks of the bootloader off',
    ...REFUSED,
    next: 'build it again without the debug mark',
  },
  'boot.bad_certificate': {
    message: 'a certificate of the image is not one that its boot code accepts',
    ...REFUSED,
    next: 'issue it again for its place in the chain; look at it with: holdfast boot inspect FILE',
  },
  'boot.bad_policy': {
    message: 'the device policy breaks a rule of its chip',
    ...BAD_DATA,
    next: 'correct the named slot; the rules are those of the vendor’s policy validator',
  },
  'boot.time_unknown': {
    message: 'the signature names no time and none was given, so that its certificates cannot be judged',
    ...REFUSED,
    next: 'sign it again with a signing time',
  },
  'boot.counter_too_high': {
    message: 'the security counter of the image is beyond what the fuses of its chip can hold',
    ...REFUSED,
    next: 'build it with a secure version within the limit',
  },
  'boot.wrong_device': {
    message: 'the image is for another chip, board or place in flash',
    ...REFUSED,
    next: 'look at the named field with: holdfast boot inspect FILE',
  },
} as const satisfies Record<string, ErrorSpec>;
