import type { ErrorSpec } from './error-spec.ts';

const ANSWER_NO = { http: 409, exit: 1, retry: false } as const;
const TRY_AGAIN = { http: 503, exit: 75, retry: true } as const;

/** What a device, real or virtual, refuses or reports; the codes travel in job status details. */
export const DEVICE_ERRORS = {
  'device.power_cut': {
    ...TRY_AGAIN,
    message: 'the device lost power',
    next: 'switch the device on again',
  },
  'device.flash_refused': {
    message: 'the flash does not allow this operation',
    http: 500,
    exit: 70,
    retry: false,
    next: 'erase the sector first, and keep to sector and write unit boundaries',
  },
  'device.flash_failed': {
    message: 'a flash sector no longer takes what is written to it',
    http: 500,
    exit: 70,
    retry: false,
    next: 'replace the device',
  },
  'device.fuse_refused': {
    message: 'the fuses do not allow this operation',
    http: 500,
    exit: 70,
    retry: false,
    next: 'look at the life cycle of the device',
  },
  'device.folder_damaged': {
    message: 'the device folder does not hold what the factory step wrote',
    http: 500,
    exit: 65,
    retry: false,
    next: 'make a new device in a new folder',
  },
  'device.folder_exists': {
    message: 'there is already a device in this folder',
    http: 409,
    exit: 65,
    retry: false,
    next: 'choose another folder',
  },
  'device.safe_mode': {
    ...ANSWER_NO,
    message: 'no image may run, so the device is in safe mode',
    next: 'send the device an update',
  },
  'device.not_enrolled': {
    message: 'the device has no certificate of its own yet',
    http: 409,
    exit: 77,
    retry: false,
    next: 'give it a claim, so that it can enroll',
  },
  'device.enrollment_rejected': {
    message: 'the server did not accept the enrollment',
    http: 403,
    exit: 77,
    retry: false,
    next: 'look at the audit log of the server for the reason',
  },
  'device.server_untrusted': {
    message: 'the server did not prove to be the one the device trusts',
    http: 502,
    exit: 77,
    retry: false,
    next: 'compare the address and the trust anchors of the device with the server',
  },
  'device.connection_refused': {
    message: 'the server refused the connection of the device',
    http: 403,
    exit: 77,
    retry: false,
    next: 'look at the audit log of the server for the reason',
  },
  'device.connection_lost': {
    ...TRY_AGAIN,
    message: 'the connection to the server ended',
    next: 'check that the server runs; the device tries again by itself',
  },
  'device.no_answer': {
    ...TRY_AGAIN,
    message: 'the server did not answer in time',
    next: 'check that the server runs; the device tries again by itself',
  },
  'device.request_rejected': {
    ...ANSWER_NO,
    message: 'the server rejected what the device asked',
    next: 'look at the code of the rejection',
  },
  'device.job_unsupported': {
    ...ANSWER_NO,
    message: 'the job is not one this device can do',
    next: 'target devices that support the operation',
  },
  'device.manifest_refused': {
    ...ANSWER_NO,
    message: 'the manifest is not signed under the release root of the device',
    next: 'sign the release under the root that the factory installed, or rotate the root first',
  },
  'device.root_refused': {
    ...ANSWER_NO,
    message: 'the new release root is not signed under the old and the new root',
    next: 'sign the next version of the root with a threshold of both',
  },
  'device.wrong_product': {
    ...ANSWER_NO,
    message: 'the manifest is for another product, tenant or hardware revision',
    next: 'target the release at devices it was built for',
  },
  'device.older_release': {
    ...ANSWER_NO,
    message: 'the manifest is older than what the device has accepted',
    next: 'publish the firmware again as a new release',
  },
  'device.release_conflict': {
    ...ANSWER_NO,
    message: 'the manifest gives other content to a release the device knows',
    next: 'publish the firmware as a new release with its own version',
  },
  'device.counter_too_low': {
    ...ANSWER_NO,
    message: 'the security counter is below that of the device',
    next: 'sign the image with a counter at or above the one in the fuses',
  },
  'device.counter_too_high': {
    ...ANSWER_NO,
    message: 'the security counter is above what the fuses can hold',
    next: 'use counters within the range of the product',
  },
  'device.manifest_expired': {
    ...ANSWER_NO,
    message: 'the manifest has expired',
    next: 'publish the release again',
  },
  'device.image_too_large': {
    ...ANSWER_NO,
    message: 'the image does not fit the slot',
    next: 'build a smaller image',
  },
  'device.image_mismatch': {
    ...ANSWER_NO,
    message: 'the downloaded image is not the one the manifest names',
    next: 'check the stored artifact against the release',
  },
  'device.download_failed': {
    ...TRY_AGAIN,
    message: 'the image could not be downloaded',
    next: 'check the server; the device resumes where it stopped',
  },
  'device.self_test_failed': {
    ...ANSWER_NO,
    message: 'the new firmware failed its self-test',
    next: 'mend the firmware and publish it as a new release',
  },
  'device.proof_refused': {
    ...ANSWER_NO,
    message: 'the server did not accept the evidence of the trial boot',
    next: 'look at the posture of the device for the reason',
  },
  'device.rolled_back': {
    ...ANSWER_NO,
    message: 'the device went back to the firmware it had before',
    next: 'look at the reason the device reported before',
  },
  'device.tpm_unreachable': {
    ...TRY_AGAIN,
    message: 'no TPM answers at this address',
    next: 'check the address, and that the user may read and write the device (group tss for /dev/tpmrm0)',
  },
  'device.tpm_address': {
    message: 'this is no address of a TPM',
    http: 400,
    exit: 64,
    retry: false,
    next: 'give device:/dev/tpmrm0, swtpm:host=HOST,port=PORT or swtpm:path=SOCKET',
  },
  'device.tpm_refused': {
    message: 'the TPM refused a command',
    http: 500,
    exit: 70,
    retry: false,
    next: 'look at the response code; a key of another TPM and a full slot are the usual causes',
  },
  'device.tpm_no_endorsement': {
    message: 'the TPM has no endorsement certificate for a key it can make',
    http: 409,
    exit: 65,
    retry: false,
    next: 'use a TPM whose maker left an RSA-2048 or P-256 endorsement certificate in it',
  },
  'device.key_not_in_tpm': {
    message: 'the key was not made in the TPM',
    http: 409,
    exit: 65,
    retry: false,
    next: "let the device's TPM key store make its key",
  },
  'device.key_not_importable': {
    message: 'keys of this store are made inside it and nowhere else',
    http: 409,
    exit: 65,
    retry: false,
    next: 'let the device make its key, or use a file store for keys made elsewhere',
  },
  'device.key_not_exportable': {
    message: 'the key never leaves its chip',
    http: 409,
    exit: 65,
    retry: false,
    next: 'let the device sign with it instead',
  },
  'device.key_not_usable_for_tls': {
    message: 'OpenSSL cannot use the key in the chip for TLS',
    http: 500,
    exit: 78,
    retry: false,
    next: "load the chip's OpenSSL provider or engine as docs/guides/tpm-gateway.md shows",
  },
  'device.pkcs11_missing': {
    message: 'the package that speaks PKCS #11 is not installed',
    http: 500,
    exit: 78,
    retry: false,
    next: 'install it beside Holdfast: npm install pkcs11js',
  },
  'device.pkcs11_failed': {
    message: 'the PKCS #11 token refused',
    http: 500,
    exit: 70,
    retry: false,
    next: 'check the module path, the label of the token and its PIN',
  },
} as const satisfies Record<string, ErrorSpec>;
