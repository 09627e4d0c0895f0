/** Format-one codes, without the bits that say which parameter, handle or session is meant (TPM 2.0 part 2, 6.6.3). */
const FORMAT_ONE: Readonly<Record<number, string>> = {
  0x002: 'TPM_RC_ATTRIBUTES',
  0x003: 'TPM_RC_HASH',
  0x004: 'TPM_RC_VALUE',
  0x00a: 'TPM_RC_TYPE',
  0x00b: 'TPM_RC_HANDLE',
  0x00e: 'TPM_RC_AUTH_FAIL',
  0x012: 'TPM_RC_SCHEME',
  0x015: 'TPM_RC_SIZE',
  0x01b: 'TPM_RC_SIGNATURE',
  0x01d: 'TPM_RC_POLICY_FAIL',
  0x01f: 'TPM_RC_INTEGRITY',
  0x022: 'TPM_RC_BAD_AUTH',
  0x023: 'TPM_RC_EXPIRED',
};

const FORMAT_ZERO: Readonly<Record<number, string>> = {
  0x100: 'TPM_RC_INITIALIZE',
  0x101: 'TPM_RC_FAILURE',
  0x121: 'TPM_RC_AUTH_MISSING',
  0x125: 'TPM_RC_AUTH_UNAVAILABLE',
  0x12f: 'TPM_RC_AUTH_UNAVAILABLE',
  0x143: 'TPM_RC_COMMAND_CODE',
  0x148: 'TPM_RC_NV_AUTHORIZATION',
  0x14b: 'TPM_RC_NV_SPACE',
  0x14c: 'TPM_RC_NV_DEFINED',
  0x902: 'TPM_RC_OBJECT_MEMORY',
  0x903: 'TPM_RC_SESSION_MEMORY',
  0x905: 'TPM_RC_SESSION_HANDLES',
  0x907: 'TPM_RC_CANCELED',
  0x908: 'TPM_RC_TESTING',
  0x921: 'TPM_RC_LOCKOUT',
  0x922: 'TPM_RC_RETRY',
};

export const TPM_RC = { initialize: 0x100, handle: 0x08b, value: 0x084, commandCode: 0x143, integrity: 0x09f } as const;

/** The specification's word for a response code and the number itself. */
export function describeTpmCode(code: number): string {
  const word = (code & 0x80) === 0 ? FORMAT_ZERO[code & 0xfff] : FORMAT_ONE[code & 0x3f];
  return `${word ?? 'TPM_RC'} 0x${code.toString(16)}`;
}

/** A handle that the TPM does not have: whatever handle or parameter number the code carries. */
export function isUnknownHandle(code: number): boolean {
  return (code & 0x80) !== 0 && (code & 0x3f) === 0x0b;
}
