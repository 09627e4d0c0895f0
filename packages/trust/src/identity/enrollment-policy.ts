import type { EpochMs, ErrorCode } from '@holdfast/kernel';
import { TEMPLATE_LIMITS } from '@holdfast/wire/aws-iot';
import type {
  CertificateRecord,
  ClaimRecord,
  ClaimSerial,
  DeviceRecord,
  EnrollmentDoorName,
  EnrollmentTerms,
  KeyOwner,
  ManufacturerRecord,
  ProductRecord,
} from '../ports/index.ts';

import { TEMPLATE_RULES, type TemplatePlan, type TemplateRefusal } from './template-plan.ts';
import { failsForExisting } from './template-writes.ts';

/** One refusal: the first row that a request breaks is the answer, the same at every door. */
export interface PolicyRule<Facts> {
  readonly rule: string;
  readonly attack: string;
  readonly code: ErrorCode;
  /** Action of the audit entry. */
  readonly audit: string;
  readonly broken: (facts: Facts) => boolean;
}

export type PolicyVerdict =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly rule: string; readonly code: ErrorCode; readonly audit: string };

export function judge<Facts>(rules: readonly PolicyRule<Facts>[], facts: Facts): PolicyVerdict {
  const broken = rules.find((each) => each.broken(facts));
  return broken ? { kind: 'refused', rule: broken.rule, code: broken.code, audit: broken.audit } : { kind: 'allowed' };
}

const REFUSED = 'enrollment.refused';

export interface ClaimFacts {
  readonly now: EpochMs;
  readonly claim: ClaimRecord;
  readonly product: ProductRecord | undefined;
  /** Who lets the device in when it is no claim; `claim` then stands for this one registration. */
  readonly grantor?: Grantor | undefined;
}

/** An authority of another maker, or an operator, who lets a device in. */
export type Grantor =
  | { readonly kind: 'manufacturer'; readonly actor: string; readonly manufacturer: ManufacturerRecord }
  | { readonly kind: 'operator'; readonly actor: string };

/** Whether the claim may enroll anything at all. */
export const CLAIM_RULES: readonly PolicyRule<ClaimFacts>[] = [
  {
    rule: 'claim-not-cancelled',
    attack: 'a leaked bootstrap key after its owner cancelled it',
    code: 'identity.claim_revoked',
    audit: REFUSED,
    broken: ({ claim }) => claim.state !== 'active',
  },
  {
    rule: 'claim-in-time',
    attack: 'a bootstrap key found in an old firmware image',
    code: 'identity.claim_expired',
    audit: REFUSED,
    broken: ({ claim, now }) => now >= claim.expiresAt,
  },
  {
    rule: 'claim-of-a-product',
    attack: 'devices of a product nobody set limits for',
    code: 'identity.unknown_product',
    audit: REFUSED,
    broken: ({ product }) => product === undefined,
  },
];

/** What a certificate request shows, before anything in it is used. */
export interface KeyFacts {
  /** Undefined when the request is no PKCS#10 or its signature does not match its key. */
  readonly request: CertificateRequestFacts | undefined;
  /** The only URI the registry would give; undefined while the device is not known. */
  readonly ownName: string | undefined;
  readonly owner: KeyOwner | undefined;
  /** Who asks; a key may only belong to the asker already. */
  readonly asker:
    | { readonly kind: 'claim'; readonly claimId: string; readonly reopenedOwner: boolean; readonly retry: boolean }
    | { readonly kind: 'device'; readonly deviceId: string };
  readonly binding: 'absent' | 'matches' | 'differs';
  /** Whether the connection has a name that every client knows to put into a request: TLS 1.2 (RFC 5929 3). */
  readonly isBindable: boolean;
  readonly keyOrigin: CertificateRecord['keyOrigin'];
  readonly door: EnrollmentDoorName;
  /** Undefined where the product is gone: other rules refuse that. */
  readonly terms: EnrollmentTerms | undefined;
}

export interface CertificateRequestFacts {
  readonly weakKey: boolean;
  readonly requestsAuthority: boolean;
  /** URIs asked for. */
  readonly uris: readonly string[];
  /** Names of any other kind asked for. */
  readonly otherNames: number;
  /** Whether a key made here is to be encrypted for a key that we do not have. */
  readonly unknownDecryptKey: boolean;
}

export const KEY_RULES: readonly PolicyRule<KeyFacts>[] = [
  {
    rule: 'proof-of-possession',
    attack: "a certificate for somebody else's public key",
    code: 'identity.bad_csr',
    audit: REFUSED,
    broken: ({ request }) => request === undefined,
  },
  {
    rule: 'strong-key',
    attack: 'a key that can be computed from its certificate',
    code: 'identity.weak_key',
    audit: REFUSED,
    broken: ({ request }) => request?.weakKey === true,
  },
  {
    rule: 'no-authority',
    attack: 'a leaf that signs certificates of its own',
    code: 'identity.ca_requested',
    audit: REFUSED,
    broken: ({ request }) => request?.requestsAuthority === true,
  },
  {
    rule: 'own-name-only',
    attack: 'a certificate that names another device or the server',
    code: 'identity.foreign_name',
    audit: REFUSED,
    broken: ({ request, ownName }) =>
      request !== undefined && (request.otherNames > 0 || request.uris.some((uri) => uri !== ownName)),
  },
  {
    rule: 'bound-to-connection',
    attack: 'a request lifted from another connection',
    code: 'identity.channel_binding',
    audit: REFUSED,
    broken: ({ binding }) => binding === 'differs',
  },
  {
    rule: 'bound-where-required',
    attack: 'a request lifted from another connection, without the attribute that would give it away',
    code: 'identity.binding_required',
    audit: REFUSED,
    broken: ({ binding, isBindable, terms }) => binding === 'absent' && isBindable && terms?.binding === 'required',
  },
  {
    rule: 'server-key-allowed',
    attack: 'a key that existed outside its device, where the product rules that out',
    code: 'identity.server_key_refused',
    audit: REFUSED,
    broken: ({ keyOrigin, door, terms }) =>
      keyOrigin !== 'device' && terms !== undefined && !mayMakeKey(terms.serverKeys, keyOrigin, door),
  },
  {
    rule: 'known-decrypt-key',
    attack: 'a key handed out in clear to whoever asked for it encrypted',
    code: 'identity.unknown_decrypt_key',
    audit: REFUSED,
    broken: ({ keyOrigin, request }) => keyOrigin === 'server' && request?.unknownDecryptKey === true,
  },
  {
    rule: 'key-has-one-owner',
    attack: 'the key of another device, a blocked device, a claim or an authority under a second name',
    code: 'identity.key_reuse',
    audit: 'key.reuse',
    broken: ({ owner, asker }) => owner !== undefined && !ownsAlready(owner, asker),
  },
];

export interface RegistrationFacts extends ClaimFacts {
  /** `default` or the product's name; undefined at doors without templates. */
  readonly template: string | undefined;
  readonly serialNumber: string;
  /** Undefined when the claim does not list it. */
  readonly claimSerial: ClaimSerial | undefined;
  readonly device: DeviceRecord | undefined;
  /** Certificates of the device that are neither revoked nor superseded. */
  readonly liveCertificates: number;
  /** Of the key to attach. */
  readonly owner: KeyOwner | undefined;
  /** What the template of the claim makes of it, hook included; undefined without one. */
  readonly plan?: TemplatePlan | TemplateRefusal | undefined;
  /** Of a device that is known. */
  readonly groups?: readonly string[] | undefined;
  /** Attached to a device that is known. */
  readonly policies?: readonly string[] | undefined;
}

const WITHIN_QUOTA: PolicyRule<ClaimFacts> = {
  rule: 'within-quota',
  attack: 'one leaked claim makes a whole fleet',
  code: 'identity.claim_used_up',
  audit: REFUSED,
  broken: ({ claim }) => claim.used >= claim.quota,
};

/** Whether a certificate may be made that a later registration would have to attach. */
export const QUOTA_RULES: readonly PolicyRule<ClaimFacts>[] = [WITHIN_QUOTA];

const SERIAL = /^[a-zA-Z0-9:_-]{1,128}$/;

export const REGISTRATION_RULES: readonly PolicyRule<RegistrationFacts>[] = [
  ...CLAIM_RULES,
  {
    rule: 'template-of-the-claim',
    attack: 'the template of another product and its rights',
    code: 'identity.wrong_template',
    audit: REFUSED,
    broken: ({ template, claim }) =>
      template !== undefined && template !== 'default' && template !== claim.product && template !== claim.template,
  },
  ...Object.entries(TEMPLATE_RULES).map(([rule, { attack, code }]) => ({
    rule,
    attack,
    code,
    audit: REFUSED,
    broken: ({ plan }: RegistrationFacts) => plan?.kind === 'refused' && plan.rule === rule,
  })),
  {
    rule: 'plain-serial',
    attack: 'a name that a topic filter or a policy reads as more than a name',
    code: 'identity.bad_device_name',
    audit: REFUSED,
    broken: ({ serialNumber }) => !SERIAL.test(serialNumber),
  },
  {
    rule: 'listed-serial',
    attack: 'a leaked claim used for devices it was not made for',
    code: 'identity.serial_not_listed',
    audit: REFUSED,
    broken: ({ claim, claimSerial }) => claim.scope === 'serials' && claimSerial === undefined,
  },
  {
    rule: 'name-is-free',
    attack: 'a serial number that is the name of another device',
    code: 'identity.device_exists',
    audit: REFUSED,
    broken: ({ device, serialNumber, plan }) =>
      device !== undefined &&
      (device.serialNumber !== serialNumber || (plan?.kind === 'planned' && device.deviceId !== plan.deviceId)),
  },
  ...(['archived', 'revoked', 'quarantined', 'suspended'] as const).map((state) => ({
    rule: `not-${state}`,
    attack: 'a device that was taken out comes back by a side door',
    code: `identity.device_${state}` as const,
    audit: REFUSED,
    broken: ({ device }: RegistrationFacts) => device?.state === state,
  })),
  {
    rule: 'device-of-the-product',
    attack: 'a claim of one product takes over a device of another',
    code: 'identity.wrong_product',
    audit: REFUSED,
    broken: ({ device, claim }) => device !== undefined && device.product !== claim.product,
  },
  {
    rule: 'no-second-certificate',
    attack: 'a claim attaches its own key to a device that is in the field',
    code: 'identity.device_has_certificate',
    audit: REFUSED,
    broken: ({ liveCertificates }) => liveCertificates > 0,
  },
  {
    rule: 'enrolled-once',
    attack: 'a claim takes over a device whose certificate was revoked',
    code: 'identity.readmission_required',
    audit: REFUSED,
    broken: ({ device }) => device?.state === 'active',
  },
  {
    rule: 'template-overrides',
    attack: 'a device of the factory step changed by whoever registers it',
    code: 'identity.template_conflict',
    audit: REFUSED,
    broken: ({ plan, device }) => device !== undefined && plan?.kind === 'planned' && failsForExisting(plan),
  },
  {
    rule: 'policies-in-number',
    attack: 'policies piled up until nobody knows what they allow together',
    code: 'communication.too_many_policies',
    audit: REFUSED,
    broken: ({ plan, policies = [] }) =>
      plan?.kind === 'planned' && new Set([...policies, ...plan.policies]).size > TEMPLATE_LIMITS.maxPolicies,
  },
  {
    rule: 'known-device',
    attack: 'invented devices fill the registry',
    code: 'identity.device_not_established',
    audit: REFUSED,
    broken: ({ device, claim }) => device === undefined && !claim.autoRegister,
  },
  {
    rule: 'serial-once',
    attack: 'one listed serial number registered again and again',
    code: 'identity.serial_used',
    audit: REFUSED,
    broken: ({ claimSerial }) => claimSerial?.usedAt !== undefined,
  },
  WITHIN_QUOTA,
  {
    rule: 'key-of-this-device',
    attack: 'the key of a re-admitted device under a second name',
    code: 'identity.key_reuse',
    audit: 'key.reuse',
    broken: ({ owner, claim, serialNumber, device }) => {
      if (owner === undefined) return false;
      if (owner.kind === 'pending') return owner.id !== claim.claimId;
      return owner.kind !== 'device' || owner.id !== (device?.deviceId ?? serialNumber);
    },
  },
];

function mayMakeKey(
  allowed: EnrollmentTerms['serverKeys'],
  keyOrigin: CertificateRecord['keyOrigin'],
  door: EnrollmentDoorName,
): boolean {
  if (keyOrigin === 'station') return allowed !== 'never';
  return allowed === 'everywhere' || (allowed === 'aws' && door === 'aws-claim');
}

function ownsAlready(owner: KeyOwner, asker: KeyFacts['asker']): boolean {
  if (asker.kind === 'device') return owner.kind === 'device' && owner.id === asker.deviceId;
  if (owner.kind === 'pending') return owner.id === asker.claimId;
  return owner.kind === 'device' && (asker.retry || asker.reopenedOwner);
}
