import type { ErrorSpec } from './error-spec.ts';

const refused = (message: string, next: string) => ({ message, http: 403, exit: 77, retry: false, next }) as const;
const badRequest = (message: string, next: string) => ({ message, http: 400, exit: 65, retry: false, next }) as const;
const absent = (message: string, next: string) => ({ message, http: 404, exit: 66, retry: false, next }) as const;
const taken = (message: string, next: string) => ({ message, http: 409, exit: 65, retry: false, next }) as const;

export const IDENTITY_ERRORS = {
  'identity.unknown_certificate': refused(
    'this certificate is not in the registry',
    'enroll the device again, or check that it connects to the right server',
  ),
  'identity.certificate_revoked': refused('this certificate is revoked', 'enroll the device again'),
  'identity.certificate_superseded': refused(
    'this certificate was replaced by a newer one that is in use',
    'use the renewed certificate',
  ),
  'identity.certificate_expired': refused(
    'this certificate has expired',
    'check the clocks; revoke the device, re-admit it and enroll it again',
  ),
  'identity.certificate_not_yet_valid': refused('this certificate is not valid yet', 'check the clock of the server'),
  'identity.certificate_pending': refused(
    'this certificate is not attached to a device yet',
    'register the device with its ownership token first',
  ),
  'identity.certificate_purpose': refused(
    'this certificate is not for connecting as a client',
    'use a device, claim or operator certificate',
  ),
  'identity.unknown_device': absent('the registry has no such device', 'list devices with: holdfast device list'),
  'identity.device_not_enrolled': refused('the device has no certificate yet', 'enroll it with a claim'),
  'identity.device_suspended': refused('the device is suspended', 're-admit it with: holdfast identity readmit DEVICE'),
  'identity.device_quarantined': refused(
    'the device is quarantined',
    'read the reason with: holdfast device show DEVICE, then re-admit or revoke it',
  ),
  'identity.device_revoked': refused(
    'the device is revoked',
    're-admit it with: holdfast identity readmit DEVICE, then enroll it again',
  ),
  'identity.altered_authority': {
    message: 'the row of an authority was changed outside Holdfast',
    http: 503,
    exit: 70,
    retry: false,
    next: 'restore the database from a backup, and find out who can write to it',
  },
  'identity.bad_destruction_proof': badRequest(
    'this does not prove that the key of the device was destroyed',
    'get a challenge, and let the device sign and destroy its key with that one',
  ),
  'identity.unknown_campaign': absent('there is no such campaign', 'list them with: holdfast identity campaign list'),
  'identity.ratchet_stale': taken(
    'the value was not offered since the last turn',
    'forget it and ask for a new one; connect again',
  ),
  'identity.device_archived': refused('the device is archived', 'register a new device'),
  'identity.device_exists': taken('a device with this name or serial number exists', 'choose another name'),
  'identity.device_has_certificate': refused(
    'the device has a certificate that is not revoked',
    'renew with the current certificate, or revoke the device and re-admit it',
  ),
  'identity.readmission_required': refused(
    'the device was enrolled before and must be re-admitted first',
    're-admit it with: holdfast identity readmit DEVICE',
  ),
  'identity.device_not_established': refused(
    'the registry does not know this device and the claim may not create it',
    'establish it first with: holdfast device create',
  ),
  'identity.bad_device_name': badRequest(
    'the name or serial number is not 1-128 of a-z, A-Z, 0-9, colon, underscore and hyphen',
    'use a name of that form',
  ),
  'identity.unknown_product': absent('there is no such product', 'create it with: holdfast product create'),
  'identity.product_exists': taken('a product with this name exists', 'choose another name'),
  'identity.bad_product': badRequest(
    'the product needs a name of 1-36 letters, digits, underscores and hyphens, no sign first, and a hardware revision',
    'correct the product',
  ),
  'identity.wrong_hardware': badRequest(
    'the product has no such hardware revision',
    'look at the product, then use one of its revisions',
  ),
  'identity.wrong_product': refused('the claim is for another product', 'use a claim of the product of the device'),
  'identity.wrong_template': refused(
    'the provisioning template is not one this claim may use',
    'use the template named after the product, or default',
  ),
  'identity.unknown_template': absent(
    'there is no such provisioning template',
    'list them with: holdfast identity template list',
  ),
  'identity.template_exists': taken(
    'a provisioning template or a product has this name',
    'choose another name, or make a new version: holdfast identity template update',
  ),
  'identity.template_versions': taken(
    'the template has as many versions as it may',
    'create another template, and claims that name it',
  ),
  'identity.template_parameters': badRequest(
    'the parameters do not fit the provisioning template',
    'send every parameter the template declares without default, with values it can use',
  ),
  'identity.template_policy': taken(
    'the provisioning template names a policy that does not exist',
    'put the policy first: holdfast policy put',
  ),
  'identity.template_conflict': taken(
    'the device exists, and the template fails for one that does',
    'use another OverrideSettings than FAIL, or another name',
  ),
  'identity.template_used_up': refused('the template has registered all it may', 'raise its maximum in a new version'),
  'identity.hook_denied': refused(
    'the rule or the hook of the template refused this device',
    'look at the parameters, and at the log: holdfast audit list --subject TEMPLATE',
  ),
  'identity.hook_failed': {
    message: 'the hook of the template did not answer as it must',
    http: 503,
    exit: 75,
    retry: true,
    next: 'look for the reason with: holdfast audit list --subject TEMPLATE',
  },
  'identity.bad_manufacturer': badRequest(
    'the certificate is not one of an authority that can be registered',
    'use a version 3 certificate with critical basicConstraints CA:TRUE, a key identifier and a strong key',
  ),
  'identity.bad_verification': badRequest(
    'the verification certificate does not prove that the key of the authority is yours',
    'sign a certificate for the code of: holdfast identity manufacturer code',
  ),
  'identity.unknown_tpm_maker': absent(
    'no maker of TPMs with this certificate is trusted',
    'list them with: holdfast identity tpm maker list',
  ),
  'identity.unknown_manufacturer': absent(
    'there is no such authority of another maker',
    'list them with: holdfast identity manufacturer list',
  ),
  'identity.manufacturer_exists': taken(
    'this certificate is registered already',
    'look at it with: holdfast identity manufacturer show',
  ),
  'identity.manufacturer_inactive': refused(
    'the authority of this certificate registers no devices',
    'activate it with: holdfast identity manufacturer activate',
  ),
  'identity.untrusted_chain': refused(
    'the certificate does not lead to a registered authority by the rules of RFC 5280',
    'send the certificates in between, and look at what its details name',
  ),
  'identity.pending_full': {
    message: 'as many certificates of this authority wait for an operator as may',
    http: 503,
    exit: 75,
    retry: true,
    next: 'activate or revoke what waits: holdfast identity manufacturer show',
  },
  'identity.not_pending': taken(
    'the certificate does not wait for an operator',
    'look at what waits with: holdfast identity manufacturer show',
  ),
  'identity.unknown_claim': absent('there is no such claim', 'list claims with: holdfast claim list'),
  'identity.claim_revoked': refused('the claim is cancelled', 'create a new claim'),
  'identity.claim_expired': refused('the claim has expired', 'create a new claim'),
  'identity.claim_used_up': refused('the claim has registered all it may', 'create a new claim'),
  'identity.serial_not_listed': refused(
    'the serial number is not on the list of the claim',
    'use a claim that lists it',
  ),
  'identity.serial_used': refused('the claim already registered this serial number', 'create a new claim for it'),
  'identity.serial_required': badRequest(
    'the request must name a serial number',
    'send SerialNumber, or enroll with a claim that lists one serial number',
  ),
  'identity.bad_claim': badRequest(
    'the claim needs either a list of serial numbers or a quota, and a time in the future',
    'correct the claim',
  ),
  'identity.rate_limited': {
    message: 'too many enrollments at once',
    http: 429,
    exit: 75,
    retry: true,
    next: 'wait a second and try again',
  },
  'identity.bad_csr': badRequest(
    'the certificate request cannot be read or its signature does not match its key',
    'make a new PKCS#10 request with the private key of the device',
  ),
  'identity.media_type': {
    message: 'the body is not declared as a PKCS#10 request',
    http: 415,
    exit: 65,
    retry: false,
    next: 'send it with Content-Type: application/pkcs10',
  },
  'identity.weak_key': badRequest(
    'the key is too weak or of a kind that policy does not allow',
    'use an EC P-256 key, or RSA of 2048 to 4096 bits',
  ),
  'identity.ca_requested': badRequest('the request asks to be an authority', 'remove CA:TRUE from the request'),
  'identity.foreign_name': badRequest(
    'the request asks for a name that the registry does not give',
    'leave subjectAltName out of the request',
  ),
  'identity.key_reuse': refused(
    'the key belongs to another device, claim or authority',
    'make a fresh key on the device',
  ),
  'identity.channel_binding': badRequest(
    'the request is not bound to this connection',
    'make the request on the connection it is sent on',
  ),
  'identity.bad_token': refused(
    'the ownership token is unknown, used, expired or of another connection',
    'ask for a new certificate and use its token on the same connection',
  ),
  'identity.ca_unavailable': {
    message: 'the authority cannot sign now',
    http: 503,
    exit: 75,
    retry: true,
    next: 'check the key engine with: holdfast doctor',
  },
  'identity.ceremony_mismatch': badRequest(
    'what the ceremony made does not fit this authority',
    'compare the fingerprints; if they agree, sign a new request of: holdfast identity ca request',
  ),
  'identity.root_key_offline': taken('the key of this root is not on this server', 'use the machine that holds it'),
  'identity.root_in_use': taken(
    'this is the root in force',
    'install the chain of a ceremony first: holdfast identity ca install',
  ),
  'identity.unknown_operator': absent('there is no such operator', 'list them with: holdfast identity operator list'),
  'identity.operator_exists': taken(
    'an operator of this name exists or existed',
    'choose another name, or give this one another certificate: holdfast identity operator certify',
  ),
  'identity.operator_revoked': refused('the operator is revoked', 'create another operator'),
  'identity.bad_operator_name': badRequest(
    'the name is not 1-64 of a-z, 0-9, dot, underscore and hyphen, or is reserved',
    'use a name of that form',
  ),
  'identity.no_such_certificate': absent(
    'the registry has no such certificate',
    'look at a device with: holdfast identity show DEVICE',
  ),
  'identity.preview_outdated': taken(
    'the number of devices is not the one that was expected; nobody was revoked',
    'look at the preview again, then repeat with its number',
  ),
  'identity.bad_password': {
    message: 'the one-time password is missing, unknown, used or expired',
    http: 401,
    exit: 77,
    retry: false,
    next: 'make a new one with: holdfast identity claim otp CLAIM --serials SERIAL',
  },
  'identity.approval_pending': {
    message: 'an operator must approve this device first',
    http: 202,
    exit: 75,
    retry: true,
    next: 'approve it with: holdfast identity request approve REQUEST; the device asks again by itself',
  },
  'identity.approval_denied': refused(
    'an operator denied this request',
    'make a new key on the device, then ask again',
  ),
  'identity.too_many_waiting': {
    message: 'too many devices wait for approval',
    http: 503,
    exit: 75,
    retry: true,
    next: 'decide on those that wait: holdfast identity request list',
  },
  'identity.unknown_request': absent(
    'there is no such enrollment request',
    'list them with: holdfast identity request list',
  ),
  'identity.request_decided': taken(
    'the enrollment request was decided already',
    'look at it with: holdfast identity request list',
  ),
  'identity.server_key_refused': refused(
    'the product does not let the server make keys here',
    'make the key on the device, or allow it with: holdfast product enrollment PRODUCT --server-keys everywhere',
  ),
  'identity.binding_required': badRequest(
    'the product takes requests only that are bound to their connection',
    'put tls-unique of the connection into challengePassword (RFC 7030 3.5)',
  ),
  'identity.unknown_decrypt_key': badRequest(
    'the request names a key to encrypt for that the server does not have',
    'name the key of the request itself by its key identifier, or leave the attribute out',
  ),
  'identity.import_contradicts': taken(
    'the registry has the device otherwise than the row says, in what an import may not change',
    'look at it with: holdfast identity show DEVICE, and correct the row or leave it out',
  ),
  'identity.import_loosens': taken(
    'the row would give a device back what was taken from it',
    'leave the row out; who is to come back is re-admitted: holdfast identity readmit DEVICE',
  ),
  'identity.crl_unavailable': {
    message: 'no revocation list has been published yet',
    http: 503,
    exit: 75,
    retry: true,
    next: 'try again in a moment',
  },
  'identity.tpm_unknown': refused(
    'this TPM is neither listed nor certified by a maker that is trusted here',
    'list its endorsement key, or trust its maker, with: holdfast identity tpm --help',
  ),
  'identity.tpm_endorsement': refused(
    'the endorsement key is not the one in the endorsement certificate, or no endorsement key at all',
    'send the certificate of the key the TPM itself makes from the standard template',
  ),
  'identity.tpm_key_unfit': refused(
    'a key of the request could be used outside its TPM, or signs what it should not',
    'make the keys in the TPM: fixed, not importable; the attestation key restricted, the device key not',
  ),
  'identity.tpm_not_certified': refused(
    'the attestation key does not show that the key of the request is in its TPM',
    'certify the key of this very request with the attestation key',
  ),
  'identity.tpm_challenge': refused(
    'the challenge was altered, answered before, answered wrongly or too late',
    'ask for a new challenge and answer it once, within two minutes',
  ),
  'identity.tpm_listed': taken('this TPM is listed already', 'look at the TPMs of its claim first'),
  'identity.bad_tpm_authority': badRequest(
    'this is no certificate of an authority',
    "give the maker's certificate that signs endorsement certificates, in PEM",
  ),
} as const satisfies Record<string, ErrorSpec>;
