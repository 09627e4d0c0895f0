import type { ErrorSpec } from './error-spec.ts';

const refused = (message: string, next: string) => ({ message, http: 403, exit: 1, retry: false, next }) as const;

export const POSTURE_ERRORS = {
  'posture.no_anchor': refused(
    'no attestation key was registered for this device in the factory step',
    'register the device with its attestation anchor, or set its product to evidence: none',
  ),
  'posture.nonce_unknown': refused(
    'the evidence answers no open challenge of this device',
    'ask for a new nonce and answer it once',
  ),
  'posture.nonce_expired': refused('the challenge has expired', 'ask for a new nonce and answer it within its time'),
  'posture.evidence_malformed': refused(
    'the evidence cannot be read',
    'send one COSE_Sign1 EAT with its certificate chain',
  ),
  'posture.evidence_forged': refused(
    'the evidence does not verify under the key registered for this device',
    'treat the device as untrusted and look at its audit entries',
  ),
  'posture.log_contradicts': refused(
    'the event log does not come to the registers the TPM quoted',
    'send the whole log of this start, as the kernel shows it, or none',
  ),
  'posture.wrong_device': refused(
    'the evidence names another device',
    'check that the device identity and its attestation key belong together',
  ),
  'posture.debug_open': refused(
    'the device runs with debug access or outside its normal mode',
    'close debug access in the fuses of the device',
  ),
  'posture.minimum_not_raised': {
    message: 'the new minimum is not above the present one',
    http: 409,
    exit: 65,
    retry: false,
    next: 'look at the product, then choose a higher minimum',
  },
  'posture.minimum_unpublished': {
    message: 'no signed release of the product reaches this minimum',
    http: 409,
    exit: 65,
    retry: false,
    next: 'sign and publish a release that reaches it first',
  },
} as const satisfies Record<string, ErrorSpec>;
