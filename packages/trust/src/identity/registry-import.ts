import { sha256 } from '@holdfast/crypto';
import { encodeHex, equalBytes, HoldfastError } from '@holdfast/kernel';
import type {
  CertificateRepository,
  DeviceId,
  DeviceRecord,
  DeviceRepository,
  DeviceState,
  Fingerprint,
  KeyOwner,
  KeyOwnerRepository,
  ProductRecord,
  ProductRepository,
} from '../ports/index.ts';
import type { OperatorPrincipal } from '../principal.ts';
import { judge, type PolicyRule } from './enrollment-policy.ts';
import { DEVICE_LIFECYCLE } from './lifecycle.ts';
import { checkEstablishWish, type Registry } from './registry.ts';
import type { Revocation } from './revocation.ts';

/** One device as a file describes it; what is undefined is left as it is. */
export interface ImportRow {
  readonly deviceId: DeviceId;
  readonly product: string;
  /** The device id when undefined. */
  readonly serialNumber?: string | undefined;
  /** The product's first when undefined. */
  readonly hardwareRevision?: string | undefined;
  readonly state?: DeviceState | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  readonly ueid?: string | undefined;
  /** DER SubjectPublicKeyInfo. */
  readonly attestationAnchor?: Uint8Array | undefined;
  /** Compared with the registry; an import brings no certificate. */
  readonly certificates?: readonly Fingerprint[] | undefined;
}

export interface ImportFacts {
  readonly row: ImportRow;
  readonly product: ProductRecord | undefined;
  readonly device: DeviceRecord | undefined;
  readonly holderOfSerial: DeviceRecord | undefined;
  readonly anchorOwner: KeyOwner | undefined;
  /** Whose the listed certificates are that the registry knows. */
  readonly certificateSubjects: readonly (string | undefined)[];
  readonly groups: readonly string[];
  /** Asked by a factory station, which stands where many come by. */
  readonly fromFactory: boolean;
}

/** How much a state takes from a device; an import never goes down. */
const STRICTNESS: Readonly<Record<DeviceState, number>> = {
  established: 0,
  active: 0,
  suspended: 1,
  quarantined: 2,
  revoked: 3,
  archived: 4,
};
const REFUSED = 'import.refused';

const contradicts = (rule: string, attack: string, broken: (facts: ImportFacts) => boolean) =>
  ({ rule, attack, code: 'identity.import_contradicts', audit: REFUSED, broken }) as const;

export const IMPORT_RULES: readonly PolicyRule<ImportFacts>[] = [
  {
    rule: 'known-product',
    attack: 'devices of a product nobody set limits for',
    code: 'identity.unknown_product',
    audit: REFUSED,
    broken: ({ product }) => product === undefined,
  },
  {
    rule: 'hardware-of-the-product',
    attack: 'a device that firmware rules do not know',
    code: 'identity.wrong_hardware',
    audit: REFUSED,
    broken: ({ row, product }) =>
      row.hardwareRevision !== undefined && product?.hardwareRevisions.includes(row.hardwareRevision) === false,
  },
  {
    rule: 'serial-is-free',
    attack: 'two devices under one serial number',
    code: 'identity.device_exists',
    audit: REFUSED,
    broken: ({ row, holderOfSerial }) => holderOfSerial !== undefined && holderOfSerial.deviceId !== row.deviceId,
  },
  contradicts(
    'same-serial',
    'a device gets the serial number of another one',
    ({ row, device }) => device !== undefined && device.serialNumber !== (row.serialNumber ?? row.deviceId),
  ),
  contradicts(
    'same-product',
    'a device changes to a product with weaker rules',
    ({ row, device }) => device !== undefined && device.product !== row.product,
  ),
  contradicts(
    'same-hardware',
    'a device passes for other hardware',
    ({ row, device }) =>
      device !== undefined && row.hardwareRevision !== undefined && device.hardwareRevision !== row.hardwareRevision,
  ),
  contradicts(
    'same-ueid',
    'evidence of another device counts for this one',
    ({ row, device }) => device !== undefined && row.ueid !== undefined && device.ueid !== row.ueid,
  ),
  contradicts('same-anchor', 'a file exchanges the key that proves what a device booted', ({ row, device }) => {
    if (device === undefined || row.attestationAnchor === undefined) return false;
    return !equalBytes(device.attestationAnchor ?? new Uint8Array(), row.attestationAnchor);
  }),
  {
    rule: 'anchor-has-one-owner',
    attack: 'one key proves for two devices',
    code: 'identity.key_reuse',
    audit: REFUSED,
    broken: ({ row, anchorOwner }) =>
      anchorOwner !== undefined && (anchorOwner.kind !== 'attestation' || anchorOwner.id !== row.deviceId),
  },
  contradicts('own-certificates', 'the certificate of another device is taken for its own', (facts) =>
    facts.certificateSubjects.some((subject) => subject !== facts.row.deviceId),
  ),
  {
    rule: 'factory-brings-new-devices',
    attack: 'a stolen station moves devices in the field to other groups, or suspends them',
    code: 'request.forbidden',
    audit: REFUSED,
    broken: (facts) =>
      facts.fromFactory &&
      (facts.row.state !== undefined ||
        (facts.device !== undefined && wasEnrolled(facts.device) && isDifferent(facts))),
  },
  {
    rule: 'never-loosened',
    attack: 'an old export lets a revoked device back in',
    code: 'identity.import_loosens',
    audit: REFUSED,
    broken: ({ row, device }) =>
      device !== undefined && row.state !== undefined && STRICTNESS[row.state] < STRICTNESS[device.state],
  },
];

export type ImportOutcome =
  | { readonly kind: 'created' | 'changed' | 'unchanged'; readonly deviceId: DeviceId }
  | { readonly kind: 'refused'; readonly deviceId: DeviceId; readonly error: HoldfastError };

/** A station may bring new devices alone. */
export type ImportSource = 'operator' | 'factory';

export interface RegistryImportPorts {
  readonly registry: Registry;
  readonly revocation: Pick<Revocation, 'device'>;
  readonly devices: Pick<DeviceRepository, 'find' | 'findBySerial' | 'groupsOf'>;
  readonly certificates: Pick<CertificateRepository, 'find'>;
  readonly keyOwners: Pick<KeyOwnerRepository, 'find'>;
  readonly products: Pick<ProductRepository, 'find'>;
}

type Step = 'suspend' | 'quarantine' | 'revoke' | 'archive';
const STEPS: readonly Step[] = ['suspend', 'quarantine', 'revoke', 'archive'];

/** Brings rows of a file into the registry: each as a whole or not, and the same file again changes nothing. */
export class RegistryImport {
  readonly #ports: RegistryImportPorts;

  constructor(ports: RegistryImportPorts) {
    this.#ports = ports;
  }

  /** What a row would do, without doing it. */
  async check(principal: OperatorPrincipal, row: ImportRow, from: ImportSource = 'operator'): Promise<ImportOutcome> {
    return this.#judged({ principal, from }, row, () => Promise.resolve());
  }

  /** Does it. A row that was interrupted is finished when it is brought again. */
  async apply(principal: OperatorPrincipal, row: ImportRow, from: ImportSource = 'operator'): Promise<ImportOutcome> {
    return this.#judged({ principal, from }, row, (facts) => this.#write(principal, facts));
  }

  async #judged(
    by: { readonly principal: OperatorPrincipal; readonly from: ImportSource },
    row: ImportRow,
    act: (facts: ImportFacts) => Promise<void>,
  ): Promise<ImportOutcome> {
    const { deviceId } = row;
    try {
      const facts = { ...(await this.#facts(by.principal, row)), fromFactory: by.from === 'factory' };
      const verdict = judge(IMPORT_RULES, facts);
      if (verdict.kind === 'refused') throw new HoldfastError(verdict.code, { rule: verdict.rule });
      checkEstablishWish(wishOf(facts));
      const kind = facts.device === undefined ? 'created' : isDifferent(facts) ? 'changed' : 'unchanged';
      if (kind !== 'unchanged') await act(facts);
      return { kind, deviceId };
    } catch (error) {
      // A second device of one UEID is a conflict of the store, and will be one again.
      if (!HoldfastError.is(error) || (error.spec.retry && error.code !== 'store.conflict')) throw error;
      return { kind: 'refused', deviceId, error };
    }
  }

  async #facts({ tenant }: OperatorPrincipal, row: ImportRow): Promise<Omit<ImportFacts, 'fromFactory'>> {
    const { devices, certificates, keyOwners, products } = this.#ports;
    const device = await devices.find(tenant, row.deviceId);
    const listed = await Promise.all((row.certificates ?? []).map((each) => certificates.find(each)));
    const { attestationAnchor } = row;
    return {
      row,
      device,
      product: await products.find(tenant, row.product),
      holderOfSerial: await devices.findBySerial(tenant, row.serialNumber ?? row.deviceId),
      anchorOwner: attestationAnchor && (await keyOwners.find(encodeHex(sha256(attestationAnchor)))),
      certificateSubjects: listed.flatMap((each) => (each === undefined ? [] : [each.subjectId])),
      groups: device === undefined ? [] : await devices.groupsOf(tenant, row.deviceId),
    };
  }

  async #write(principal: OperatorPrincipal, facts: ImportFacts): Promise<void> {
    const { registry } = this.#ports;
    const { row, device, groups } = facts;
    const { deviceId } = row;
    if (device === undefined) await registry.establish(principal, wishOf(facts));
    else {
      if (row.groups !== undefined && !sameNames(row.groups, groups)) {
        await registry.setGroups(principal, deviceId, row.groups);
      }
      if (row.attributes !== undefined && !sameAttributes(row.attributes, device.attributes)) {
        await registry.setAttributes(principal, deviceId, row.attributes);
      }
    }
    for (const step of stepsTo(device?.state ?? DEVICE_LIFECYCLE.initial, row.state)) {
      await this.#step(principal, deviceId, step);
    }
  }

  async #step(principal: OperatorPrincipal, deviceId: DeviceId, step: Step): Promise<void> {
    const { registry, revocation } = this.#ports;
    const reason = 'imported in this state';
    if (step === 'revoke') await revocation.device(principal, deviceId, 'unspecified');
    else if (step === 'suspend') await registry.suspend(principal, deviceId, reason);
    else if (step === 'archive') await registry.archive(principal, deviceId);
    else await registry.quarantine(principal, deviceId, { code: 'import', words: reason, details: {} });
  }
}

function wishOf({ row, product, device }: ImportFacts) {
  const { deviceId, serialNumber = deviceId, groups = [], attributes = {}, ueid, attestationAnchor } = row;
  return {
    deviceId,
    serialNumber,
    product: row.product,
    hardwareRevision: row.hardwareRevision ?? device?.hardwareRevision ?? product?.hardwareRevisions[0] ?? '',
    groups,
    attributes,
    ...(ueid === undefined ? {} : { ueid }),
    ...(attestationAnchor === undefined ? {} : { attestationAnchor }),
  };
}

/** One that was taken back waits for its next certificate in the field. */
function wasEnrolled({ state, enrolledAt }: DeviceRecord): boolean {
  return state !== 'established' || enrolledAt !== undefined;
}

function isDifferent({ row, device, groups }: ImportFacts): boolean {
  if (device === undefined) return true;
  return (
    (row.groups !== undefined && !sameNames(row.groups, groups)) ||
    (row.attributes !== undefined && !sameAttributes(row.attributes, device.attributes)) ||
    stepsTo(device.state, row.state).length > 0
  );
}

/** The shortest way to a stricter state; none to one that is no stricter. */
function stepsTo(from: DeviceState, to: DeviceState | undefined): readonly Step[] {
  if (to === undefined || STRICTNESS[to] <= STRICTNESS[from]) return [];
  const paths = new Map<DeviceState, readonly Step[]>([[from, []]]);
  for (const [state, path] of paths) {
    for (const step of STEPS) {
      const next = DEVICE_LIFECYCLE.next(state, step);
      if (next !== undefined && !paths.has(next)) paths.set(next, [...path, step]);
    }
  }
  return paths.get(to) ?? [];
}

function sameNames(wanted: readonly string[], present: readonly string[]): boolean {
  const names = new Set(wanted);
  return names.size === present.length && present.every((name) => names.has(name));
}

function sameAttributes(wanted: Readonly<Record<string, string>>, present: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(wanted);
  return names.length === Object.keys(present).length && names.every((name) => wanted[name] === present[name]);
}
